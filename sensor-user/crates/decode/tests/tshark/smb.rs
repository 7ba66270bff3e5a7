//! SMB of all versions: its messages, shares, files, dialects, and how logons ended.

use goshawk_model::smb::SmbOperation;
use goshawk_model::{Activity, Kind, Outcome};

use super::{Comparison, Row};

/// Messages of SMB 1.
pub(super) const SMB1: Comparison = Comparison {
    protocol: "smb1",
    fields: &["smb.mid"],
    // Mailslots have a header of SMB 1 too, and no connection.
    theirs: |row, fact| {
        row.columns
            .iter()
            .flatten()
            .for_each(|_| fact("messages".into()));
    },
    ours: |_, _| {},
};

/// Commands of SMB 2, and sealed messages.
pub(super) const SMB2: Comparison = Comparison {
    protocol: "smb2",
    fields: &["smb2.protocol_id"],
    theirs: |row, fact| {
        let compressed = |id: &&&str| **id == "0xfc534d42";
        let ids = || row.columns.iter().flatten();
        let compressed = ids().filter(compressed).count();
        // What was compressed is told again in plain.
        let all = ids().count();
        for _message in 0..compressed.max(all - compressed) {
            fact("messages".into());
        }
    },
    ours: |_, _| {},
};

/// What both say.
pub(super) const SMB: Comparison = Comparison {
    protocol: "smb",
    fields: &[
        "smb2.cmd",
        "smb2.flags.response",
        "smb2.nt_status",
        "smb2.tree",
        "smb2.filename",
        "smb2.dialect",
        "smb.cmd",
        "smb.flags.response",
        "smb.path",
        "smb.file",
    ],
    theirs,
    ours,
};

const MORE_PROCESSING_REQUIRED: &str = "0xc0000016";

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    let [
        commands,
        answers,
        statuses,
        trees,
        files,
        dialects,
        smb1_commands,
        smb1_answers,
        smb1_paths,
        smb1_files,
    ] = row.columns
    else {
        return;
    };
    let is_true = |value: &&str| matches!(*value, "True" | "1");
    let first = |values: &[&str]| values.first().copied().unwrap_or_default().to_owned();
    match (
        commands.first().copied(),
        answers.first().is_some_and(is_true),
    ) {
        (Some("0"), true) => fact(format!("dialect {}", first(dialects))),
        (Some("1"), true) if first(statuses) != MORE_PROCESSING_REQUIRED => {
            fact(format!("session {}", first(statuses)));
        }
        (Some("3"), false) => fact(format!("tree {}", first(trees).to_lowercase())),
        _ => {}
    }
    // An empty name is no value, so the names there are belong to some of the commands.
    let commands = commands.iter().zip(answers);
    let creates = commands.filter(|(command, answer)| **command == "5" && !is_true(answer));
    for index in 0..creates.count() {
        fact(format!(
            "file {}",
            file_name(files.get(index).unwrap_or(&""))
        ));
    }
    let asks =
        |command| smb1_commands.contains(&command) && !smb1_answers.first().is_some_and(is_true);
    if asks("0x75") {
        // Those in front are of the tree that the header names.
        let path = smb1_paths.last().copied().unwrap_or_default();
        fact(format!("tree {}", path.to_lowercase()));
    }
    if asks("0xa2") || asks("0x2d") {
        fact(format!("file {}", file_name(&first(smb1_files))));
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    let Kind::Smb(operation) = &activity.kind else {
        return;
    };
    match operation {
        SmbOperation::Negotiate(negotiate) => {
            let revision = match negotiate.chosen.as_deref() {
                Some("2.0.2") => "0x0202",
                Some("2.1") => "0x0210",
                Some("2.?") => "0x02ff",
                Some("3.0") => "0x0300",
                Some("3.0.2") => "0x0302",
                Some("3.1.1") => "0x0311",
                _ => return,
            };
            fact(format!("dialect {revision}"));
        }
        SmbOperation::Session(session)
            if session.smb1.is_none() && activity.outcome != Outcome::Unknown =>
        {
            fact(format!("session {:#010x}", session.status.unwrap_or(0)));
        }
        SmbOperation::Tree(tree) => {
            let share = &tree.share;
            let name = share.name.as_deref().unwrap_or_default().to_lowercase();
            fact(match &share.server {
                Some(server) => format!("tree \\\\{server}\\{name}"),
                None => format!("tree {name}"),
            });
        }
        SmbOperation::File(file) if file.disposition.is_some() && !file.again => {
            fact(format!(
                "file {}",
                file_name(file.path.as_deref().unwrap_or_default())
            ));
        }
        _ => {}
    }
}

/// Pipes are told without the prefix that some write, and in lower case.
fn file_name(name: &str) -> String {
    let name = name.trim_start_matches('\\').to_lowercase();
    name.strip_prefix("pipe\\").unwrap_or(&name).to_owned()
}
