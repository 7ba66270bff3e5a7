//! Names of the MITRE ATT&CK techniques that identity alerts carry (enterprise matrix, v17).

/// The technique's name, `None` for one that this build does not know.
pub(super) fn technique_name(id: &str) -> Option<&'static str> {
    NAMES
        .binary_search_by(|(known, _)| (*known).cmp(id))
        .ok()
        .map(|place| NAMES[place].1)
}

/// Sorted by id.
const NAMES: &[(&str, &str)] = &[
    ("T1003", "OS Credential Dumping"),
    ("T1003.001", "LSASS Memory"),
    ("T1003.003", "NTDS"),
    ("T1003.006", "DCSync"),
    ("T1018", "Remote System Discovery"),
    ("T1021", "Remote Services"),
    ("T1021.002", "SMB/Windows Admin Shares"),
    ("T1021.006", "Windows Remote Management"),
    ("T1046", "Network Service Discovery"),
    ("T1047", "Windows Management Instrumentation"),
    ("T1048", "Exfiltration Over Alternative Protocol"),
    ("T1053.005", "Scheduled Task"),
    ("T1068", "Exploitation for Privilege Escalation"),
    ("T1069", "Permission Groups Discovery"),
    ("T1069.002", "Domain Groups"),
    ("T1071.004", "DNS"),
    ("T1078", "Valid Accounts"),
    ("T1078.002", "Domain Accounts"),
    ("T1087", "Account Discovery"),
    ("T1087.002", "Domain Account"),
    ("T1098", "Account Manipulation"),
    ("T1110", "Brute Force"),
    ("T1110.001", "Password Guessing"),
    ("T1110.003", "Password Spraying"),
    ("T1110.004", "Credential Stuffing"),
    ("T1134.001", "Token Impersonation/Theft"),
    ("T1134.005", "SID-History Injection"),
    ("T1136.002", "Create Domain Account"),
    ("T1187", "Forced Authentication"),
    ("T1207", "Rogue Domain Controller"),
    ("T1210", "Exploitation of Remote Services"),
    ("T1482", "Domain Trust Discovery"),
    ("T1484", "Domain or Tenant Policy Modification"),
    ("T1543.003", "Windows Service"),
    ("T1550.002", "Pass the Hash"),
    ("T1550.003", "Pass the Ticket"),
    ("T1555", "Credentials from Password Stores"),
    ("T1556", "Modify Authentication Process"),
    ("T1557", "Adversary-in-the-Middle"),
    ("T1557.001", "LLMNR/NBT-NS Poisoning and SMB Relay"),
    ("T1558", "Steal or Forge Kerberos Tickets"),
    ("T1558.001", "Golden Ticket"),
    ("T1558.002", "Silver Ticket"),
    ("T1558.003", "Kerberoasting"),
    ("T1558.004", "AS-REP Roasting"),
    ("T1569.002", "Service Execution"),
    ("T1589", "Gather Victim Identity Information"),
    ("T1649", "Steal or Forge Authentication Certificates"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_name_is_found() {
        assert!(NAMES.is_sorted());
        for (id, name) in NAMES {
            assert_eq!(technique_name(id), Some(*name));
        }
        assert_eq!(technique_name("T0000"), None);
    }
}
