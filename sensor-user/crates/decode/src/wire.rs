//! A cursor over bytes that came from the network: it believes no length and never panics.

use uuid::Uuid;

/// Bytes yet to be read, and the byte order of the integers in them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire<'a> {
    rest: &'a [u8],
    order: Order,
}

/// The byte order of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Big,
    Little,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(bytes: &'a [u8], order: Order) -> Self {
        Self { rest: bytes, order }
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes; `None`, with nothing read, if there are fewer.
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        let bytes = self.array()?;
        Some(match self.order {
            Order::Big => u16::from_be_bytes(bytes),
            Order::Little => u16::from_le_bytes(bytes),
        })
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let bytes = self.array()?;
        Some(match self.order {
            Order::Big => u32::from_be_bytes(bytes),
            Order::Little => u32::from_le_bytes(bytes),
        })
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        let bytes = self.array()?;
        Some(match self.order {
            Order::Big => u64::from_be_bytes(bytes),
            Order::Little => u64::from_le_bytes(bytes),
        })
    }

    /// A UUID, whose first three fields are integers in the cursor's byte order ([C706] A.1).
    pub(crate) fn uuid(&mut self) -> Option<Uuid> {
        let bytes = self.array()?;
        Some(match self.order {
            Order::Big => Uuid::from_bytes(bytes),
            Order::Little => Uuid::from_bytes_le(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_either_order_and_stops_at_the_end() {
        let bytes = [1, 2, 3, 4, 5, 6, 7];
        let mut big = Wire::new(&bytes, Order::Big);
        let mut little = Wire::new(&bytes, Order::Little);
        assert_eq!((big.u16(), little.u16()), (Some(0x0102), Some(0x0201)));
        assert_eq!(
            (big.u32(), little.u32()),
            (Some(0x0304_0506), Some(0x0605_0403))
        );
        assert_eq!((big.u16(), big.u8(), big.u8()), (None, Some(7), None));
        assert_eq!(little.take(2), None);
        assert_eq!(little.rest(), [7]);
    }
}
