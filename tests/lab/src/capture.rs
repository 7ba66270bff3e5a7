//! Recorded packets in memory, read from and written to pcap files, gzip-compressed or plain.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapReader, Linktype, PcapBlockOwned, PcapError};

/// Packets as one recording holds them, Ethernet alone, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// The packets.
    pub packets: Vec<Packet>,
}

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it was seen, since 1970.
    pub time: Duration,
    /// The frame from its Ethernet header on.
    pub frame: Vec<u8>,
}

/// Room for the largest record, with its header: tcpdump's snapshot length.
const LARGEST_RECORD: usize = 262_144 + 16;

/// Little-endian pcap with nanoseconds.
const MAGIC_NANOSECONDS: u32 = 0xA1B2_3C4D;

impl Capture {
    /// Reads a pcap file whose packets are Ethernet, with microseconds or nanoseconds.
    ///
    /// # Errors
    /// If the file cannot be read or is not such a file; the message names it.
    pub fn load(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let compressed = path.extension().is_some_and(|extension| extension == "gz");
        let file = BufReader::new(file);
        let capture = if compressed {
            Self::read(MultiGzDecoder::new(file))
        } else {
            Self::read(file)
        };
        capture.with_context(|| format!("cannot read {}", path.display()))
    }

    /// Writes a pcap file with nanoseconds; compressed if the name ends in `.gz`.
    ///
    /// # Errors
    /// If the file cannot be written; the message names it.
    pub fn save(&self, path: &Path) -> Result<()> {
        let write = || -> Result<()> {
            let file = BufWriter::new(File::create(path)?);
            if path.extension().is_some_and(|extension| extension == "gz") {
                let mut encoder = GzEncoder::new(file, Compression::best());
                self.write(&mut encoder)?;
                encoder.finish()?.flush()?;
            } else {
                let mut file = file;
                self.write(&mut file)?;
                file.flush()?;
            }
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    fn read(file: impl Read) -> Result<Self> {
        let mut reader = LegacyPcapReader::new(LARGEST_RECORD, file)
            .map_err(|error| anyhow::anyhow!("not a pcap file: {error}"))?;
        let mut fractions_per_second = 1_000_000;
        let mut packets = Vec::new();
        loop {
            match reader.next() {
                Ok((length, block)) => {
                    match block {
                        PcapBlockOwned::LegacyHeader(header) => {
                            if header.network != Linktype::ETHERNET {
                                bail!("its packets are not Ethernet");
                            }
                            if header.is_nanosecond_precision() {
                                fractions_per_second = 1_000_000_000;
                            }
                        }
                        PcapBlockOwned::Legacy(record) => {
                            let nanoseconds =
                                record.ts_usec * (1_000_000_000 / fractions_per_second);
                            let time = Duration::new(u64::from(record.ts_sec), nanoseconds);
                            packets.push(Packet {
                                time,
                                frame: record.data.to_vec(),
                            });
                        }
                        PcapBlockOwned::NG(_) => bail!("it is pcapng, not pcap"),
                    }
                    reader.consume(length);
                }
                Err(PcapError::Eof) => return Ok(Self { packets }),
                Err(PcapError::Incomplete(_)) => match reader.refill() {
                    Ok(()) => {}
                    Err(error) => bail!("{error}"),
                },
                Err(error) => bail!("{error}"),
            }
        }
    }

    fn write(&self, out: &mut impl Write) -> Result<()> {
        write_header(out)?;
        self.packets.iter().try_for_each(|packet| packet.write(out))
    }
}

impl Packet {
    /// Appends the packet to a file that [`write_header`] has begun.
    pub(crate) fn write(&self, out: &mut impl Write) -> Result<()> {
        let length = u32::try_from(self.frame.len())?;
        out.write_all(&u32::try_from(self.time.as_secs())?.to_le_bytes())?;
        out.write_all(&self.time.subsec_nanos().to_le_bytes())?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&length.to_le_bytes())?;
        Ok(out.write_all(&self.frame)?)
    }
}

/// Begins a pcap file of Ethernet frames with nanoseconds.
pub(crate) fn write_header(out: &mut impl Write) -> Result<()> {
    let mut header = Vec::with_capacity(24);
    header.extend(MAGIC_NANOSECONDS.to_le_bytes());
    header.extend(2_u16.to_le_bytes());
    header.extend(4_u16.to_le_bytes());
    header.extend([0; 8]);
    header.extend(u32::try_from(LARGEST_RECORD)?.to_le_bytes());
    header.extend(Linktype::ETHERNET.0.to_le_bytes());
    Ok(out.write_all(&header)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Capture {
        let packet = |number: u8| Packet {
            time: Duration::new(1_700_000_000 + u64::from(number), 999_999_999),
            frame: vec![number; 60 + 9_000 * usize::from(number)],
        };
        Capture {
            packets: (0..9).map(packet).collect(),
        }
    }

    #[test]
    fn what_is_written_reads_back_plain_and_compressed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["sample.pcap", "sample.pcap.gz"] {
            let path = folder.path().join(name);
            sample().save(&path).unwrap();
            assert_eq!(Capture::load(&path).unwrap(), sample(), "{name}");
        }
    }

    #[test]
    fn a_file_cut_short_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.pcap");
        sample().save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 10]).unwrap();
        let error = format!("{:#}", Capture::load(&path).unwrap_err());
        assert!(error.contains("cut.pcap"), "{error}");
    }
}
