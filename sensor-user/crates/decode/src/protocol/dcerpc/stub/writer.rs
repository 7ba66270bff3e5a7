//! Stubs as another implementation would write them, for the tests of their readers.

use uuid::Uuid;

use super::super::ndr::{Ndr, Syntax};
use super::{Exchange, Handles, reader};
use crate::wire::Order;
use goshawk_model::rpc::RpcArguments;

/// Both transfer syntaxes, one of them in the other byte order.
pub(super) const BOTH: [Syntax; 3] = [
    Syntax {
        order: Order::Little,
        ndr64: false,
    },
    Syntax {
        order: Order::Little,
        ndr64: true,
    },
    Syntax {
        order: Order::Big,
        ndr64: false,
    },
];

/// A stub on its way.
#[derive(Debug)]
pub(super) struct Writer {
    syntax: Syntax,
    written: Vec<u8>,
}

impl Writer {
    pub(super) fn new(syntax: Syntax) -> Self {
        Self {
            syntax,
            written: Vec::new(),
        }
    }

    pub(super) fn written(&self) -> Vec<u8> {
        self.written.clone()
    }

    pub(super) fn ndr(&self) -> Ndr<'_> {
        Ndr::new(&self.written, self.syntax)
    }

    fn integer(&mut self, value: u64, width: usize) -> &mut Self {
        self.align(width);
        match self.syntax.order {
            Order::Little => self.written.extend(&value.to_le_bytes()[..width]),
            Order::Big => self.written.extend(&value.to_be_bytes()[8 - width..]),
        }
        self
    }

    fn wide(&self) -> usize {
        if self.syntax.ndr64 { 8 } else { 4 }
    }

    pub(super) fn align(&mut self, width: usize) -> &mut Self {
        self.written
            .resize(self.written.len().next_multiple_of(width), 0xaa);
        self
    }

    pub(super) fn align_structure(&mut self) -> &mut Self {
        self.align(self.wide())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.written.extend(bytes);
        self
    }

    pub(super) fn handle(&mut self, number: u8) -> &mut Self {
        self.align(4).bytes(&[number; 20])
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.integer(value.into(), 2)
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.integer(value.into(), 4)
    }

    pub(super) fn hyper(&mut self, value: u64) -> &mut Self {
        self.integer(value, 8)
    }

    pub(super) fn enumeration(&mut self, value: u32) -> &mut Self {
        self.integer(value.into(), if self.syntax.ndr64 { 4 } else { 2 })
    }

    pub(super) fn switch(&mut self, value: u32, width: usize) -> &mut Self {
        let width = if self.syntax.ndr64 { 8 } else { width };
        if self.syntax.ndr64 {
            self.align(8);
        }
        self.u32(value).align(width)
    }

    pub(super) fn word(&mut self, value: u64) -> &mut Self {
        self.integer(value, self.wide())
    }

    pub(super) fn reference(&mut self, leads: bool) -> &mut Self {
        self.word(if leads { 0x0002_0000 } else { 0 })
    }

    pub(super) fn uuid(&mut self, uuid: Uuid) -> &mut Self {
        self.align(4);
        match self.syntax.order {
            Order::Little => self.bytes(&uuid.to_bytes_le()),
            Order::Big => self.bytes(uuid.as_bytes()),
        }
    }

    /// The sizes of a conformant and varying array.
    pub(super) fn varying(&mut self, count: usize) -> &mut Self {
        self.word(count as u64).word(0).word(count as u64)
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        self.varying(units.len());
        for unit in units {
            self.u16(unit);
        }
        self
    }

    pub(super) fn maybe_text(&mut self, text: Option<&str>) -> &mut Self {
        self.reference(text.is_some());
        match text {
            Some(text) => self.text(text),
            None => self,
        }
    }

    pub(super) fn string_head(&mut self, text: &str) -> &mut Self {
        let length = text.encode_utf16().count() as u16 * 2;
        self.align_structure();
        self.u16(length).u16(length).reference(true)
    }

    pub(super) fn string(&mut self, text: &str) -> &mut Self {
        self.string_head(text).text(text)
    }

    pub(super) fn strings(&mut self, texts: &[&str]) -> &mut Self {
        for text in texts {
            self.string_head(text);
        }
        for text in texts {
            self.text(text);
        }
        self
    }

    /// `S-1-5-21-...`
    pub(super) fn sid(&mut self, subauthorities: &[u32]) -> &mut Self {
        let count = subauthorities.len();
        self.word(count as u64).align(4);
        self.bytes(&[1, count as u8, 0, 0, 0, 0, 0, 5]);
        for &subauthority in subauthorities {
            self.u32(subauthority);
        }
        self
    }
}

/// A connection, as far as its handles go.
#[derive(Default)]
pub(super) struct Dialogue {
    handles: Handles,
}

impl Dialogue {
    /// A call that is answered.
    pub(super) fn call(
        &mut self,
        interface: Uuid,
        opnum: u16,
        request: &Writer,
        response: Option<&Writer>,
    ) -> Option<RpcArguments> {
        let reader = reader(interface, opnum).unwrap_or_else(|| panic!("nobody reads {opnum}"));
        let response = response.map(Writer::ndr);
        let mut exchange = Exchange::new(request.ndr(), response, &mut self.handles);
        reader(&mut exchange)
    }
}
