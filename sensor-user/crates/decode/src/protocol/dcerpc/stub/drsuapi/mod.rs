//! Replication of the directory ([MS-DRSR] 4.1).

#[cfg(test)]
mod tests;

use goshawk_model::rpc::{DirectoryName, DrsuapiArguments, Excerpt, RpcArguments, drsuapi};

use super::super::ndr::{Ndr, excerpt, sid};
use super::{Exchange, Reader};
use crate::wire::{Order, Wire};

/// Reads the operations that replicate, and those that prepare it.
pub(super) fn reader(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        drsuapi::DRS_BIND => bind,
        2 => replica_sync,
        drsuapi::DRS_GET_NC_CHANGES => get_nc_changes,
        4 => update_refs,
        5 => replica_add,
        6 => replica_del,
        drsuapi::DRS_CRACK_NAMES => crack_names,
        13 => write_spn,
        16 => domain_controller_info,
        17 => add_entry,
        19 => replication_info,
        _ => return None,
    })
}

fn tell(arguments: DrsuapiArguments) -> Option<RpcArguments> {
    Some(RpcArguments::Drsuapi(arguments))
}

fn bind(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    let client = if request.reference()? {
        Some(request.uuid()?)
    } else {
        None
    };
    let mut extensions = None;
    if request.reference()? {
        // `DRS_EXTENSIONS`, 5.39: its size, and then flags.
        let (_max_count, _cb) = (request.word()?, request.u32()?);
        extensions = request.u32();
    }
    tell(DrsuapiArguments::Bind { client, extensions })
}

/// The handle, the version, and the switch of the union of all versions, whose arms hold what is
/// aligned to `width`.
fn version(request: &mut Ndr<'_>, width: usize) -> Option<u32> {
    request.handle()?;
    let _version = request.u32()?;
    request.switch(width)
}

/// Update sequence numbers, 8 bytes wide, are in all versions of this.
fn get_nc_changes(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    let version = version(request, 8)?;
    // The others are sent by mail, or older than Windows 2000.
    if !matches!(version, 5 | 8 | 10 | 11) {
        return None;
    }
    let (destination, _invocation) = (request.uuid()?, request.uuid()?);
    let has_object = request.reference()?;
    usn_vector(request)?;
    let _up_to_date = request.reference()?;
    let flags = request.u32()?;
    let (_max_objects, _max_bytes) = (request.u32()?, request.u32()?);
    let extended_operation = request.u32()?;
    let _fsmo = request.hyper()?;
    if version >= 8 {
        let (_attributes, _more) = (request.reference()?, request.reference()?);
        prefix_table(request)?;
    }
    if version >= 10 {
        let _more_flags = request.u32()?;
    }
    if version >= 11 {
        let (_correlation, _reserved) = (request.uuid()?, request.reference()?);
    }
    let object = directory_name(request, has_object).unwrap_or_default();
    let objects = call.answered(changed_objects);
    tell(DrsuapiArguments::GetNcChanges {
        object,
        destination,
        flags,
        extended_operation,
        objects,
    })
}

/// `cNumObjects` of a `DRS_MSG_GETCHGREPLY_V1` or `V6`, 4.1.10.2.9 and later.
fn changed_objects(response: &mut Ndr<'_>) -> Option<u32> {
    let _version = response.u32()?;
    if !matches!(response.switch(8)?, 1 | 6 | 9) {
        return None;
    }
    let (_source, _invocation) = (response.uuid()?, response.uuid()?);
    let _object = response.reference()?;
    usn_vector(response)?;
    usn_vector(response)?;
    let _up_to_date = response.reference()?;
    prefix_table(response)?;
    let _extended_return = response.u32()?;
    response.u32()
}

/// `USN_VECTOR`, 5.209.
fn usn_vector(stub: &mut Ndr<'_>) -> Option<()> {
    for _ in 0..3 {
        stub.hyper()?;
    }
    Some(())
}

/// `SCHEMA_PREFIX_TABLE`, 5.180, up to its reference.
fn prefix_table(stub: &mut Ndr<'_>) -> Option<()> {
    stub.align_structure()?;
    let (_count, _entries) = (stub.u32()?, stub.reference()?);
    Some(())
}

/// `DSNAME`, 5.50, where there is one.
fn directory_name(stub: &mut Ndr<'_>, is_present: bool) -> Option<DirectoryName> {
    const MAX_SID: usize = 28;
    if !is_present {
        return None;
    }
    let _max_count = stub.word()?;
    let (_length, sid_length) = (stub.u32()?, stub.u32()?);
    let guid = stub.uuid()?;
    // Plain bytes, whatever the order of integers around them.
    let mut sid_bytes = Wire::new(stub.take(MAX_SID)?, Order::Little);
    let name_length = usize::try_from(stub.u32()?).ok()?;
    let name = stub.take(name_length.checked_mul(2)?)?;
    Some(DirectoryName {
        guid: Some(guid).filter(|guid| !guid.is_nil()),
        sid: sid(&mut sid_bytes).filter(|_| sid_length > 0),
        dn: Some(stub.characters(name)).filter(|dn| !dn.is_empty()),
    })
}

/// What the four operations on replication links have in common.
fn replica(
    object: Option<DirectoryName>,
    partner: Option<Box<str>>,
    partner_dsa: Option<uuid::Uuid>,
    options: u32,
) -> Option<RpcArguments> {
    tell(DrsuapiArguments::Replica {
        object: object.unwrap_or_default(),
        partner,
        partner_dsa: partner_dsa.filter(|dsa| !dsa.is_nil()),
        options,
    })
}

/// `DRS_MSG_REPSYNC_V1`, 4.1.23.1.2.
fn replica_sync(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    version(request, 4)?;
    let has_object = request.reference()?;
    let source = request.uuid()?;
    let has_partner = request.reference()?;
    let options = request.u32()?;
    let object = directory_name(request, has_object);
    let partner = has_partner.then(|| request.narrow_text()).flatten();
    replica(object, partner, Some(source), options)
}

/// `DRS_MSG_UPDREFS_V1`, 4.1.26.1.2.
fn update_refs(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    version(request, 4)?;
    let has_object = request.reference()?;
    let has_partner = request.reference()?;
    let destination = request.uuid()?;
    let options = request.u32()?;
    let object = directory_name(request, has_object);
    let partner = has_partner.then(|| request.narrow_text()).flatten();
    replica(object, partner, Some(destination), options)
}

/// `DRS_MSG_REPADD_V1` and `V2`, 4.1.19.1.
fn replica_add(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    /// `REPLTIMES`, 5.164.
    const SCHEDULE: usize = 84;
    let request = &mut call.request;
    let version = version(request, 4)?;
    let has_object = request.reference()?;
    let mut names = [false; 2];
    if version >= 2 {
        names = [request.reference()?, request.reference()?];
    }
    let has_partner = request.reference()?;
    request.take(SCHEDULE)?;
    let options = request.u32()?;
    let object = directory_name(request, has_object);
    for is_present in names {
        request.align_structure()?;
        directory_name(request, is_present);
    }
    let partner = has_partner.then(|| request.narrow_text()).flatten();
    replica(object, partner, None, options)
}

/// `DRS_MSG_REPDEL_V1`, 4.1.20.1.2.
fn replica_del(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    version(request, 4)?;
    let has_object = request.reference()?;
    let has_partner = request.reference()?;
    let options = request.u32()?;
    let object = directory_name(request, has_object);
    let partner = has_partner.then(|| request.narrow_text()).flatten();
    replica(object, partner, None, options)
}

/// `DRS_MSG_CRACKREQ_V1`, 4.1.4.1.2.
fn crack_names(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    version(request, 4)?;
    let (_code_page, _locale, _flags) = (request.u32()?, request.u32()?, request.u32()?);
    let (offered, desired) = (request.u32()?, request.u32()?);
    let names = listed(request)?;
    tell(DrsuapiArguments::CrackNames {
        offered,
        desired,
        names,
    })
}

/// A count and a reference to as many texts, as the last of a structure.
fn listed(request: &mut Ndr<'_>) -> Option<Excerpt<Box<str>>> {
    let _count = request.u32()?;
    if !request.reference()? {
        return Some(excerpt(std::iter::empty()));
    }
    let count = request.size()?;
    request.texts(count)
}

/// `DRS_MSG_SPNREQ_V1`, 4.1.28.1.2.
fn write_spn(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    version(request, 4)?;
    let (operation, _flags) = (request.u32()?, request.u32()?);
    let has_account = request.reference()?;
    let _count = request.u32()?;
    let has_names = request.reference()?;
    let account = if has_account {
        Some(request.text()?)
    } else {
        None
    };
    let names = if has_names {
        let count = request.size()?;
        request.texts(count)?
    } else {
        excerpt(std::iter::empty())
    };
    tell(DrsuapiArguments::WriteSpn {
        account,
        operation,
        names,
    })
}

/// `DRS_MSG_DCINFOREQ_V1`, 4.1.5.1.2.
fn domain_controller_info(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    version(request, 4)?;
    let has_domain = request.reference()?;
    let level = request.u32()?;
    let domain = has_domain.then(|| request.text()).flatten();
    tell(DrsuapiArguments::DomainControllerInfo { domain, level })
}

/// `DRS_MSG_ADDENTRYREQ_V2`, 4.1.1.1.3: a list, of which the first entry is read.
fn add_entry(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    version(request, 4)?;
    let has_next = request.reference()?;
    let has_name = request.reference()?;
    let _flags = request.u32()?;
    prefix_table(request)?;
    // What follows the first entry lies between it and its name.
    let object = directory_name(request, has_name && !has_next).unwrap_or_default();
    tell(DrsuapiArguments::AddEntry { object })
}

/// `DRS_MSG_GETREPLINFO_REQ_V1` and `V2`, 4.1.13.1.
fn replication_info(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    let version = version(request, 4)?;
    let info = request.u32()?;
    let has_object = request.reference()?;
    let _source = request.uuid()?;
    let object = (has_object && version == 1)
        .then(|| request.text())
        .flatten();
    tell(DrsuapiArguments::ReplicationInfo { info, object })
}
