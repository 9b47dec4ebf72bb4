//! The socket as a file: who can use it, and when it is there.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use actix_web::web;
use pdsno::app::client::{AskError, Request, ask};
use pdsno::app::folder::DataFolder;
use pdsno::app::socket::{AdminSocket, NAME, SocketError};
use pdsno::app::user::user_name;
use serde_json::json;
use tempfile::TempDir;

use crate::place::Place;
use crate::program::{PDSNO, run, without_settings};

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[test]
fn the_socket_is_its_owners_alone_and_goes_with_its_controller() {
    let parent = TempDir::new().unwrap();
    // A folder that others may look into: the socket's own mode keeps them out.
    let path = parent.path().join("data");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let folder = DataFolder::take(&path).unwrap();
    let (socket, listener) = AdminSocket::bind(&folder).unwrap();
    let file = fs::symlink_metadata(path.join(NAME)).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!((file.permissions().mode() & 0o7777, file.uid()), (0o600, uid()));
    UnixStream::connect(path.join(NAME)).unwrap();
    drop(listener);
    // As long as the socket may be removed, nobody else may make one.
    drop(folder);
    assert!(DataFolder::take(&path).is_err());
    drop(socket);
    assert!(!path.join(NAME).exists());
    assert!(DataFolder::take(&path).is_ok());
}

#[test]
fn a_socket_of_a_dead_controller_is_replaced() {
    let path = TempDir::new().unwrap();
    let folder = DataFolder::take(path.path()).unwrap();
    // Dropping a listener leaves its file, as a killed process does.
    drop(UnixListener::bind(path.path().join(NAME)).unwrap());
    assert!(UnixStream::connect(path.path().join(NAME)).is_err());
    let _bound = AdminSocket::bind(&folder).unwrap();
    UnixStream::connect(path.path().join(NAME)).unwrap();
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let path = TempDir::new().unwrap();
    let folder = DataFolder::take(path.path()).unwrap();
    fs::write(path.path().join("notes"), "mine").unwrap();
    std::os::unix::fs::symlink("notes", path.path().join(NAME)).unwrap();
    let refusal = AdminSocket::bind(&folder).unwrap_err();
    assert!(matches!(refusal, SocketError::Occupied { .. }), "{refusal}");
    assert!(refusal.to_string().contains(NAME), "{refusal}");
    assert_eq!(fs::read_to_string(path.path().join(NAME)).unwrap(), "mine");
}

#[actix::test]
async fn a_folder_may_have_a_path_that_is_longer_than_an_address() {
    let place = Place::start_in(TempDir::new().unwrap(), &Path::new(&"d".repeat(120)).join("data"));
    let path = place.path();
    assert!(path.as_os_str().len() > 107);
    assert_eq!(fs::symlink_metadata(path.join(NAME)).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(place.ask(&Request::get("/healthz")).await.unwrap(), json!({ "status": "ok" }));
    let folder = place.stop().await;
    assert!(!path.join(NAME).exists());
    drop(folder);
}

#[actix::test]
async fn where_nobody_listens_it_is_said() {
    let folder = TempDir::new().unwrap();
    let nobody = ask(folder.path(), &Request::get("/healthz")).await.unwrap_err();
    assert!(matches!(nobody, AskError::Nobody { .. }), "{nobody}");
    drop(UnixListener::bind(folder.path().join(NAME)).unwrap());
    let dead = ask(folder.path(), &Request::get("/healthz")).await.unwrap_err();
    assert!(matches!(dead, AskError::Nobody { .. }), "{dead}");
}

#[actix::test]
async fn another_user_is_told_who_may() {
    let place = Place::start();
    let path = place.path();
    if uid() == 0 {
        // Root may everything: the program runs as nobody, from a place where nobody may run it.
        let open = TempDir::new().unwrap();
        fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = open.path().join("pdsno");
        fs::copy(PDSNO, &program).unwrap();
        for (file, mode) in [(path.clone(), 0o755), (path.join("pdsno.db"), 0o644)] {
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let ran = web::block(move || {
            use std::os::unix::process::CommandExt;
            let mut command = Command::new(program);
            without_settings(&mut command).args(["status", "--data-dir"]).arg(path).uid(65_534).gid(65_534);
            run(&mut command).map_err(|error| error.to_string())
        });
        let ran = ran.await.unwrap().unwrap();
        assert!(ran.err.contains("owner and root only"), "{ran:?}");
    } else {
        fs::set_permissions(path.join(NAME), fs::Permissions::from_mode(0o000)).unwrap();
        let refused = place.ask(&Request::get("/healthz")).await.unwrap_err();
        assert!(matches!(refused, AskError::NotAllowed { .. }), "{refused}");
        assert!(refused.to_string().contains("owner and root only"), "{refused}");
    }
}

#[test]
fn users_have_names_where_the_system_knows_them() {
    assert_eq!(user_name(0).as_deref(), Some("root"));
    assert_eq!(user_name(4_000_000_000), None);
}
