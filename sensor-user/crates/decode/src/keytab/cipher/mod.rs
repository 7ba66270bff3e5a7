//! What Kerberos seals and signs with, for who has the key: AES with SHA-1 (RFC 3962), AES with SHA-2
//! (RFC 8009), and RC4 (RFC 4757). DES is not read: nobody seals with it any more.
//!
//! No crate that we may use does all three; the primitives are RustCrypto's, and what Kerberos makes
//! of them is here. Nothing is ever sealed, and nobody on the wire hears whether a seal was right, so
//! there is no secret that the time of a comparison could tell.

use aes::cipher::{Array, BlockCipherEncrypt, BlockSizeUser, KeyInit, KeyIvInit, StreamCipher};
use aes::{Aes128, Aes256};
use cts::{CbcCs3, Decrypt};
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use rc4::Rc4;
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use zeroize::Zeroizing;

/// What keys are made for and seals are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Etype {
    /// `aes128-cts-hmac-sha1-96`.
    Aes128Sha1,
    /// `aes256-cts-hmac-sha1-96`.
    Aes256Sha1,
    /// `aes128-cts-hmac-sha256-128`.
    Aes128Sha2,
    /// `aes256-cts-hmac-sha384-192`.
    Aes256Sha2,
    /// `rc4-hmac`.
    Rc4,
}

/// Bytes that are wiped when they are no longer needed.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

const BLOCK: usize = 16;
/// What RC4's checksums take, and its confounder (RFC 4757 5).
const RC4_CHECKSUM: usize = 16;
const RC4_CONFOUNDER: usize = 8;

impl Etype {
    /// By its number (RFC 3961 registry).
    pub(crate) fn new(number: i32) -> Option<Self> {
        Some(match number {
            17 => Self::Aes128Sha1,
            18 => Self::Aes256Sha1,
            19 => Self::Aes128Sha2,
            20 => Self::Aes256Sha2,
            23 => Self::Rc4,
            _ => return None,
        })
    }

    /// By the number of the keyed checksum that its keys make ([MS-PAC] 2.8, RFC 8009 9).
    pub(crate) fn of_checksum(number: i32) -> Option<Self> {
        Some(match number {
            15 => Self::Aes128Sha1,
            16 => Self::Aes256Sha1,
            19 => Self::Aes128Sha2,
            20 => Self::Aes256Sha2,
            -138 => Self::Rc4,
            _ => return None,
        })
    }

    /// How long its keys are, bytes.
    pub(crate) fn key_length(self) -> usize {
        match self {
            Self::Aes128Sha1 | Self::Aes128Sha2 | Self::Rc4 => 16,
            Self::Aes256Sha1 | Self::Aes256Sha2 => 32,
        }
    }

    /// How long the checksums are that its keys make, bytes.
    pub(crate) fn checksum_length(self) -> usize {
        match self {
            Self::Aes128Sha1 | Self::Aes256Sha1 => 12,
            Self::Aes128Sha2 | Self::Rc4 => 16,
            Self::Aes256Sha2 => 24,
        }
    }

    /// What is sealed in `sealed`; `None` if the key is another one, or a bit was changed.
    pub(crate) fn open(self, key: &[u8], usage: u32, sealed: &[u8]) -> Option<Secret> {
        if self == Self::Rc4 {
            return open_rc4(key, usage, sealed);
        }
        let front = sealed.len().checked_sub(self.checksum_length())?;
        let (cipher, checksum) = sealed.split_at_checked(front)?;
        let sealing = self.derived(key, usage, Purpose::Sealing)?;
        let checking = self.derived(key, usage, Purpose::Checking)?;
        let plain = match self {
            // The checksum is over what was sealed (RFC 3961 5.3).
            Self::Aes128Sha1 | Self::Aes256Sha1 => {
                let plain = self.decrypt(&sealing, cipher)?;
                let expected = mac::<Hmac<Sha1>>(&checking, &[&plain]);
                expected.starts_with(checksum).then_some(plain)?
            }
            // It is over the sealed bytes, behind the initial vector (RFC 8009 5).
            Self::Aes128Sha2 | Self::Aes256Sha2 => {
                let expected = self.mac_sha2(&checking, &[&[0; BLOCK], cipher]);
                if !expected.starts_with(checksum) {
                    return None;
                }
                self.decrypt(&sealing, cipher)?
            }
            Self::Rc4 => return None,
        };
        plain
            .get(BLOCK..)
            .map(|plain| Zeroizing::new(plain.to_vec()))
    }

    /// The keyed checksum over `message`.
    pub(crate) fn checksum(self, key: &[u8], usage: u32, message: &[u8]) -> Option<Secret> {
        let mut checksum = match self {
            Self::Rc4 => {
                let signing = mac::<Hmac<Md5>>(key, &[b"signaturekey\0"]);
                let mut hash = Md5::new();
                hash.update(usage.to_le_bytes());
                hash.update(message);
                mac::<Hmac<Md5>>(&signing, &[&hash.finalize()])
            }
            Self::Aes128Sha1 | Self::Aes256Sha1 => {
                let signing = self.derived(key, usage, Purpose::Signing)?;
                mac::<Hmac<Sha1>>(&signing, &[message])
            }
            Self::Aes128Sha2 | Self::Aes256Sha2 => {
                let signing = self.derived(key, usage, Purpose::Signing)?;
                self.mac_sha2(&signing, &[message])
            }
        };
        checksum.truncate(self.checksum_length());
        Some(checksum)
    }

    /// AES in CBC with ciphertext stealing, from a vector of zeros.
    fn decrypt(self, key: &[u8], cipher: &[u8]) -> Option<Secret> {
        let mut plain = Zeroizing::new(cipher.to_vec());
        let iv = Array::from([0; BLOCK]);
        if self.key_length() == 16 {
            let mode = CbcCs3::<Aes128>::new(key.try_into().ok()?, &iv);
            mode.decrypt(&mut plain).ok()?;
        } else {
            let mode = CbcCs3::<Aes256>::new(key.try_into().ok()?, &iv);
            mode.decrypt(&mut plain).ok()?;
        }
        Some(plain)
    }

    /// The key that is used for one purpose in one place (RFC 3961 5.3, RFC 8009 3).
    fn derived(self, key: &[u8], usage: u32, purpose: Purpose) -> Option<Secret> {
        let [a, b, c, d] = usage.to_be_bytes();
        let constant = [a, b, c, d, purpose as u8];
        let length = match (self, purpose) {
            (Self::Aes256Sha2, Purpose::Checking | Purpose::Signing) => 24,
            _ => self.key_length(),
        };
        match self {
            Self::Aes128Sha1 => stretched::<Aes128>(key, &constant, length),
            Self::Aes256Sha1 => stretched::<Aes256>(key, &constant, length),
            Self::Aes128Sha2 | Self::Aes256Sha2 => {
                let bits = u32::try_from(length * 8).ok()?.to_be_bytes();
                let parts: [&[u8]; 4] = [&[0, 0, 0, 1], &constant, &[0], &bits];
                let mut derived = self.mac_sha2(key, &parts);
                derived.truncate(length);
                Some(derived)
            }
            Self::Rc4 => None,
        }
    }

    fn mac_sha2(self, key: &[u8], parts: &[&[u8]]) -> Secret {
        match self {
            Self::Aes256Sha2 => mac::<Hmac<Sha384>>(key, parts),
            _ => mac::<Hmac<Sha256>>(key, parts),
        }
    }
}

/// What a derived key is for: the last byte of the constant that it is derived with (RFC 3961 5.3).
#[derive(Clone, Copy)]
enum Purpose {
    Signing = 0x99,
    Checking = 0x55,
    Sealing = 0xaa,
}

/// RFC 4757 5, and its numbers of usages, which for tickets and PACs are everybody's.
fn open_rc4(key: &[u8], usage: u32, sealed: &[u8]) -> Option<Secret> {
    let (checksum, cipher) = sealed.split_at_checked(RC4_CHECKSUM)?;
    let checking = mac::<Hmac<Md5>>(key, &[&usage.to_le_bytes()]);
    let sealing = mac::<Hmac<Md5>>(&checking, &[checksum]);
    let mut plain = Zeroizing::new(cipher.to_vec());
    Rc4::new_from_slice(&sealing)
        .ok()?
        .apply_keystream(&mut plain);
    let expected = mac::<Hmac<Md5>>(&checking, &[&plain]);
    if *expected != *checksum {
        return None;
    }
    plain
        .get(RC4_CONFOUNDER..)
        .map(|plain| Zeroizing::new(plain.to_vec()))
}

/// `DR` of RFC 3961 5.1: the constant, folded to a block and encrypted again and again.
fn stretched<C>(key: &[u8], constant: &[u8], length: usize) -> Option<Secret>
where
    C: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = aes::cipher::consts::U16>,
{
    let cipher = C::new_from_slice(key).ok()?;
    let mut block = Array::from(folded(constant));
    let mut derived = Zeroizing::new(Vec::with_capacity(length + BLOCK));
    while derived.len() < length {
        cipher.encrypt_block(&mut block);
        derived.extend_from_slice(&block);
    }
    derived.truncate(length);
    Some(derived)
}

/// `n-fold` of RFC 3961 5.1, to a block: copies of the input, each turned right by 13 bits more, are
/// written one after another and added up block by block, with the carry going round.
fn folded(input: &[u8]) -> [u8; BLOCK] {
    let bits = input.len() * 8;
    let bit = |index: usize| -> u8 {
        let (copy, at) = (index / bits, index % bits);
        let from = (at + bits * 13 - 13 * copy % bits) % bits;
        input
            .get(from / 8)
            .map_or(0, |byte| byte >> (7 - from % 8) & 1)
    };
    let blocks = input.len() / greatest_common(input.len(), BLOCK);
    let mut sum = 0u128;
    for block in 0..blocks {
        let start = block * BLOCK * 8;
        let value = (start..start + BLOCK * 8)
            .fold(0u128, |value, index| value << 1 | u128::from(bit(index)));
        let (added, carried) = sum.overflowing_add(value);
        sum = added + u128::from(carried);
    }
    sum.to_be_bytes()
}

fn greatest_common(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common(b, a % b) }
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Secret {
    // HMAC takes keys of any length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else {
        return Secret::default();
    };
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests;
