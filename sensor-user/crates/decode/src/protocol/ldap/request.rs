//! What clients ask for, RFC 4511 4.5 to 4.12; binds are in `bind`.

use goshawk_model::ldap::{
    AddRequest, Attribute, Change, ChangeOperation, CompareRequest, ExtendedRequest,
    ModifyDnRequest, ModifyRequest, Operation, Scope, Search, SearchRequest, extension,
};

use super::ber::Ber;
use super::message::op;
use super::{attribute, filter, text};

/// Attributes kept of those that a search asks for.
const MAX_ATTRIBUTES: usize = 256;
/// Changes kept of a modification, and attributes of a new object.
const MAX_CHANGES: usize = 128;

/// Reads a request, and whether it is well-formed as far as it is there; `None` if this `protocolOp`
/// is none.
pub(super) fn read(tag: u8, body: Ber<'_>) -> Option<(Operation, bool)> {
    // Where even what comes first is malformed, that it was asked is left.
    fn told<T>(
        request: Option<T>,
        operation: impl FnOnce(Option<T>) -> Operation,
    ) -> (Operation, bool) {
        let understood = request.is_some();
        (operation(request), understood)
    }
    Some(match tag {
        op::SEARCH_REQUEST => {
            let read = search(body);
            let understood = matches!(read, Some((_, true)));
            let search = Search {
                request: read.map(|(request, _)| request),
                ..Search::default()
            };
            (Operation::Search(search), understood)
        }
        op::MODIFY_REQUEST => told(modify(body), Operation::Modify),
        op::ADD_REQUEST => told(add(body), Operation::Add),
        op::DEL_REQUEST => told(Some(dn(body.bytes())), Operation::Delete),
        op::MODIFY_DN_REQUEST => told(modify_dn(body), Operation::ModifyDn),
        op::COMPARE_REQUEST => told(compare(body), Operation::Compare),
        op::EXTENDED_REQUEST => told(extended(body), Operation::Extended),
        _ => return None,
    })
}

/// The operation whose response this is, when the request was not seen.
pub(super) fn of_response(tag: u8) -> Option<Operation> {
    Some(match tag {
        op::SEARCH_RESULT_ENTRY | op::SEARCH_RESULT_REFERENCE | op::SEARCH_RESULT_DONE => {
            Operation::Search(Search::default())
        }
        op::MODIFY_RESPONSE => Operation::Modify(None),
        op::ADD_RESPONSE => Operation::Add(None),
        op::DEL_RESPONSE => Operation::Delete(None),
        op::MODIFY_DN_RESPONSE => Operation::ModifyDn(None),
        op::COMPARE_RESPONSE => Operation::Compare(None),
        op::EXTENDED_RESPONSE => Operation::Extended(None),
        _ => return None,
    })
}

/// Whether a response of this tag can answer that.
pub(super) fn fits(operation: &Operation, tag: u8) -> bool {
    match operation {
        Operation::Search(_) => matches!(
            tag,
            op::SEARCH_RESULT_ENTRY | op::SEARCH_RESULT_REFERENCE | op::SEARCH_RESULT_DONE
        ),
        Operation::Modify(_) => tag == op::MODIFY_RESPONSE,
        Operation::Add(_) => tag == op::ADD_RESPONSE,
        Operation::Delete(_) => tag == op::DEL_RESPONSE,
        Operation::ModifyDn(_) => tag == op::MODIFY_DN_RESPONSE,
        Operation::Compare(_) => tag == op::COMPARE_RESPONSE,
        Operation::Extended(_) => tag == op::EXTENDED_RESPONSE,
        _ => false,
    }
}

fn dn(bytes: &[u8]) -> Box<str> {
    text::cut(bytes, text::MAX_DN)
}

/// `SearchRequest`, and whether its filter is well-formed.
fn search(mut body: Ber<'_>) -> Option<(SearchRequest, bool)> {
    let base_object = dn(body.octets()?);
    let scope = match body.number()? {
        0 => Scope::Base,
        1 => Scope::One,
        2 => Scope::Subtree,
        _ => Scope::Other,
    };
    let _deref_aliases = body.number()?;
    let size_limit = body.number()?;
    let time_limit = body.number()?;
    let _types_only = body.number()?;
    let (filter, well_formed) = filter::read(body.element()?);
    let mut asked = match body.element() {
        Some(asked) => asked.content,
        None => Ber::new(&[], body.is_cut()),
    };
    let request = SearchRequest {
        base_object,
        scope,
        size_limit,
        time_limit,
        filter: filter.text,
        conditions: filter.conditions,
        conditions_total: filter.total,
        filter_depth: filter.depth,
        filter_cut: filter.cut,
        attributes: std::iter::from_fn(|| asked.octets())
            .take(MAX_ATTRIBUTES)
            .map(attribute::name)
            .collect(),
    };
    Some((request, well_formed))
}

fn modify(mut body: Ber<'_>) -> Option<ModifyRequest> {
    let object = dn(body.octets()?);
    let mut list = body.element().map(|list| list.content);
    let (changes, changes_total) = gather(list.as_mut(), |mut change| {
        Some(Change {
            operation: match change.number()? {
                0 => ChangeOperation::Add,
                1 => ChangeOperation::Delete,
                2 => ChangeOperation::Replace,
                3 => ChangeOperation::Increment,
                _ => ChangeOperation::Other,
            },
            modification: attribute::read(change.element()?.content)?,
        })
    })?;
    Some(ModifyRequest {
        object,
        changes,
        changes_total,
    })
}

fn add(mut body: Ber<'_>) -> Option<AddRequest> {
    let entry = dn(body.octets()?);
    let mut list = body.element().map(|list| list.content);
    let (attributes, attributes_total): (Vec<Attribute>, _) =
        gather(list.as_mut(), attribute::read)?;
    Some(AddRequest {
        entry,
        attributes,
        attributes_total,
    })
}

/// The first elements of a list, and how many it has; `None` if one is malformed.
fn gather<'a, T>(
    list: Option<&mut Ber<'a>>,
    read: impl Fn(Ber<'a>) -> Option<T>,
) -> Option<(Vec<T>, u32)> {
    let (mut kept, mut total) = (Vec::new(), 0);
    let Some(list) = list else {
        return Some((kept, total));
    };
    while let Some(element) = list.element() {
        total += 1;
        if kept.len() < MAX_CHANGES {
            match read(element.content) {
                Some(read) => kept.push(read),
                None if element.content.is_cut() => {}
                None => return None,
            }
        }
    }
    Some((kept, total))
}

fn modify_dn(mut body: Ber<'_>) -> Option<ModifyDnRequest> {
    /// `newSuperior`
    const NEW_SUPERIOR: u8 = 0x80;
    let entry = dn(body.octets()?);
    let newrdn = dn(body.octets()?);
    let _delete_old_rdn = body.number()?;
    Some(ModifyDnRequest {
        entry,
        newrdn,
        new_superior: body.optional(NEW_SUPERIOR).map(|name| dn(name.bytes())),
    })
}

fn compare(mut body: Ber<'_>) -> Option<CompareRequest> {
    let entry = dn(body.octets()?);
    let mut assertion = body.element()?.content;
    let attribute = attribute::name(assertion.octets()?);
    let value = match assertion.octets()? {
        _ if attribute::is_secret(&attribute) => filter::HIDDEN.into(),
        value => text::value(value),
    };
    Some(CompareRequest {
        entry,
        attribute,
        value,
    })
}

fn extended(mut body: Ber<'_>) -> Option<ExtendedRequest> {
    /// `requestName`
    const REQUEST_NAME: u8 = 0x80;
    /// `requestValue`
    const REQUEST_VALUE: u8 = 0x81;
    /// `userIdentity`, RFC 3062 2.
    const USER_IDENTITY: u8 = 0x80;
    let request_name = text::cut(body.optional(REQUEST_NAME)?.bytes(), text::MAX_OID);
    let user_identity = body
        .optional(REQUEST_VALUE)
        .filter(|_| *request_name == *extension::PASSWORD_MODIFY)
        .and_then(|mut value| value.element()?.content.optional(USER_IDENTITY))
        .map(|identity| dn(identity.bytes()));
    Some(ExtendedRequest {
        request_name,
        user_identity,
    })
}
