//! Whom a controller knows: from its NIB at the start, and from news since.

use super::Acquaint;
use crate::actors::validation::rows::read;
use crate::algorithms::trust::directory::Directory;
use crate::domain::certificate::Certificate;
use crate::domain::registry::{Blocked, ControllerRow, Membership, Standing};
use crate::nib::{NibError, NibReader};
use crate::wire::statement::{Chain, Statement};

/// Controllers are read in pages.
const PAGE: usize = 256;

/// The directory that a NIB makes: the controllers below with their standing, the one above, and the
/// blocklist. The certificates were verified when they were written.
///
/// # Errors
/// Those of the NIB; [`NibError::Corrupt`] when a certificate in it cannot be read.
pub fn directory_of(reader: &dyn NibReader) -> Result<Directory, NibError> {
    let mut directory = Directory::default();
    let parent = reader.membership()?.as_ref().map(parent).transpose()?.flatten();
    parent.into_iter().for_each(|certificate| directory.insert(certificate));
    let mut last = None;
    loop {
        let page = reader.controllers(last.as_ref(), PAGE)?;
        for row in &page {
            insert(&mut directory, row)?;
        }
        let Some(row) = page.into_iter().last() else { break };
        last = Some(row.id);
    }
    for (blocked, _) in reader.blocklist()? {
        learn(&mut directory, Acquaint::Block(blocked));
    }
    Ok(directory)
}

/// The certificate above this controller's own.
fn parent(membership: &Membership) -> Result<Option<Certificate>, NibError> {
    let chain: Chain = read(&membership.chain, "this controller's chain")?;
    Ok(chain.certificates.get(1).map(|statement| statement.unverified().clone()))
}

fn insert(directory: &mut Directory, row: &ControllerRow) -> Result<(), NibError> {
    let certificate = |document| -> Result<Certificate, NibError> {
        let statement: Statement<Certificate> = read(document, "the certificate of a controller")?;
        Ok(statement.unverified().clone())
    };
    directory.insert(certificate(&row.certificate)?);
    if let Some(next) = &row.next {
        directory.renew(certificate(&next.certificate)?);
    }
    match row.standing {
        Standing::Active => {}
        Standing::Suspended => directory.suspend(&row.id),
        Standing::Locked => directory.lock(&row.id),
        Standing::Revoked => directory.revoke(&row.id),
    }
    Ok(())
}

/// Takes news in.
pub(super) fn learn(directory: &mut Directory, news: Acquaint) {
    match news {
        Acquaint::Insert(certificate) => directory.insert(certificate),
        Acquaint::Renew(certificate) => directory.renew(certificate),
        Acquaint::Revoke(id) => directory.revoke(&id),
        Acquaint::Lock(id) => directory.lock(&id),
        Acquaint::Suspend(id) => directory.suspend(&id),
        Acquaint::Reinstate(id) => directory.reinstate(&id),
        Acquaint::Block(Blocked::Key(key)) => directory.block_key(key),
        Acquaint::Block(Blocked::Source(source)) => directory.block_source(source),
        Acquaint::Unblock(Blocked::Key(key)) => directory.unblock_key(&key),
        Acquaint::Unblock(Blocked::Source(source)) => directory.unblock_source(&source),
    }
}
