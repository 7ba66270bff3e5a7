//! `docs`: the pages that are made from the source, so that they cannot say anything else.

mod activities;
mod detections;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::step;

/// Options of `docs`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only say whether the pages are up to date.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Makes the pages, or checks them.
///
/// # Errors
/// One line where a source cannot be read, or a page is not up to date.
pub(crate) fn run(options: &Options) -> Result<()> {
    for (name, page) in [
        (activities::PAGE, activities::page()?),
        (detections::PAGE, detections::page()?),
    ] {
        let path = step::root().join(name);
        if !options.check {
            fs::write(&path, page).with_context(|| format!("cannot write {name}"))?;
            step::found("written", name);
        } else if fs::read_to_string(&path).unwrap_or_default() == page {
            step::found("up to date", name);
        } else {
            bail!("{name} is not what the source says: run `cargo xtask docs`");
        }
    }
    Ok(())
}
