//! Whether the registry's rows are what they should be, each and together.

use rusqlite::{Connection, Error};

use crate::domain::controller::ControllerName;
use crate::nib::sqlite::check::{CheckReport, each};
use crate::nib::sqlite::registry::rows::{self, select_controllers, select_names, select_tokens};
use crate::nib::sqlite::rows::shown;

pub(in crate::nib::sqlite) fn check_membership(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, rows::SELECT_MEMBERSHIP, |row| {
        report.read(rows::membership(row));
        Ok(())
    })
}

pub(in crate::nib::sqlite) fn check_tokens(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, select_tokens!("ORDER BY token_id"), |row| {
        report.read(rows::token(row));
        Ok(())
    })?;
    let unheard = "SELECT token_id FROM bootstrap_tokens AS t WHERE used_at IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM controllers AS c WHERE c.token_id = t.token_id AND c.controller_id = t.used_as)";
    each(connection, unheard, |row| {
        report.add("bootstrap_tokens", Some(rows::token_key(row, 0)), "the controller that used it is missing");
        Ok(())
    })
}

pub(in crate::nib::sqlite) fn check_names(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, select_names!("ORDER BY slug"), |row| {
        report.read(rows::names(row));
        Ok(())
    })
}

pub(in crate::nib::sqlite) fn check_controllers(
    connection: &Connection,
    report: &mut CheckReport,
) -> Result<(), Error> {
    each(connection, select_controllers!("ORDER BY c.controller_id"), |row| {
        if let Some(controller) = report.read(rows::controller(row))
            && !controller
                .id
                .as_str()
                .parse()
                .is_ok_and(|name: ControllerName| name.fits(controller.role, Some(&controller.region)))
        {
            report.add("controllers", Some(controller.id.to_string()), "its name is not of its tier and region");
        }
        Ok(())
    })?;
    let unused = "SELECT c.controller_id FROM controllers AS c LEFT JOIN bootstrap_tokens AS t \
         ON t.token_id = c.token_id AND t.used_as = c.controller_id WHERE t.token_id IS NULL";
    each(connection, unused, |row| {
        report.add("controllers", Some(shown(row, 0)), "it did not use the token that it is said to have used");
        Ok(())
    })?;
    let unnumbered = "SELECT c.controller_id FROM controllers AS c LEFT JOIN names AS n ON n.region = c.region \
         WHERE CAST(replace(c.controller_id, rtrim(c.controller_id, '0123456789'), '') AS INTEGER) \
         >= coalesce(CASE c.role WHEN 'local' THEN n.next_local ELSE n.next_regional END, 0)";
    each(connection, unnumbered, |row| {
        report.add("controllers", Some(shown(row, 0)), "the number in its name is to be given yet");
        Ok(())
    })
}

pub(in crate::nib::sqlite) fn check_certificates(
    connection: &Connection,
    report: &mut CheckReport,
) -> Result<(), Error> {
    let sql = "SELECT serial, (SELECT 1 FROM controllers AS c WHERE c.controller_id = o.controller_id), \
         serial >= (SELECT next_serial FROM counters) FROM certificates AS o ORDER BY serial";
    each(connection, sql, |row| {
        report.others += 1;
        if row.get::<_, Option<i64>>(1)?.is_none() {
            report.add("certificates", Some(shown(row, 0)), "there is no such controller");
        }
        if row.get::<_, Option<bool>>(2)? == Some(true) {
            report.add("certificates", Some(shown(row, 0)), "its number is to be given yet");
        }
        Ok(())
    })
}

pub(in crate::nib::sqlite) fn check_blocklist(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, rows::SELECT_BLOCKLIST, |row| {
        report.read(rows::blocked(row));
        Ok(())
    })
}
