//! The kernel program. It exists for the `bpf` target alone (`cargo xtask build` builds it);
//! elsewhere this is an empty program, so that the workspace builds without any eBPF tool.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

#[cfg(target_arch = "bpf")]
mod filter;
#[cfg(target_arch = "bpf")]
mod frames;
#[cfg(target_arch = "bpf")]
mod notes;
#[cfg(target_arch = "bpf")]
mod program;
#[cfg(target_arch = "bpf")]
mod record;

#[cfg(not(target_arch = "bpf"))]
fn main() {}
