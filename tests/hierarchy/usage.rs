//! What cannot be started.

use tempfile::TempDir;

use crate::program::{Tested, pdsno, run};

#[test]
fn what_is_missing_is_named_and_nothing_is_written() -> Tested {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    for (arguments, parts) in [
        (&["--role", "all"][..], &["--region", "--subnets"][..]),
        (&["--role", "all", "--subnets", "10.0.1.0/24"], &["--region"]),
        (&["--role", "all", "--region", "zone-A"], &["--subnets"]),
        (
            &["--role", "all", "--region", "zone-A", "--subnets", "10.0.1.0/24", "--parent", "global_cntl_1"],
            &["controller.parent_id", "unset it"],
        ),
        (
            &["--role", "all", "--region", "zone-A", "--subnets", "10.0.1.0/24", "--id", "mine_1"],
            &["controller.id", "three controllers"],
        ),
        (&["--role", "global", "--id", "mine_1"], &["controller.id", "global_cntl_1"]),
        (
            &["--role", "regional", "--region", "zone-A", "--parent", "global_cntl_1"],
            &["global_cntl_1", "rest+mqtt", "later version", "--role all"],
        ),
        (
            &["--role", "local", "--subnets", "10.0.1.0/24", "--parent", "regional_cntl_zoneA_1"],
            &["regional_cntl_zoneA_1", "rest+mqtt", "standalone"],
        ),
    ] {
        let ran = run(pdsno(arguments).arg("--data-dir").arg(&data))?;
        assert_eq!(ran.code(), Some(2), "{arguments:?}: {ran:?}");
        assert!(parts.iter().all(|part| ran.err.contains(part)), "{arguments:?}: {ran:?}");
        assert!(!data.exists(), "{arguments:?}");
    }
    let ran = run(pdsno(&["--role", "global", "--data-dir"]).arg(&data).env("PDSNO_COMMUNICATION__MODE", "rest+mqtt"))?;
    assert_eq!((ran.code(), ran.err.contains("communication.mode rest+mqtt")), (Some(2), true), "{ran:?}");
    assert!(!data.exists());
    Ok(())
}
