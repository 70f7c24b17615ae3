//! Which sources are there, and of which is a file?

/// A kind of files
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// Exchanges with the btp CLI server, or the plain output of a command
    BtpCli,
    /// The Cloud Foundry API, version 3
    Cf,
    /// SAP's audit log retrieval API, version 2
    AuditLog,
    /// The APIs of XSUAA: role collections, users and identity providers
    Xsuaa,
    /// SCIM 2.0 users and groups of an identity provider
    Scim,
    /// A state of Terraform or OpenTofu
    Terraform,
    /// A table
    Csv,
    /// Entries in the ledger's own JSON
    Jsonl,
    /// Names for users who are known by an id alone
    Map,
}

/// Texts of which one group must be there, each with all its texts
type Groups = &'static [&'static [&'static str]];

/// What a file can look like, the sources that read it, and texts that tell it
///
/// All texts of one group must stand near the beginning of the file. The first that fits counts.
const LOOKS: &[(&str, &[Source], Groups)] = &[
    (
        "exchanges with the btp CLI server (`tenure import btp-cli`)",
        &[Source::BtpCli],
        &[&["\"cmd\"", "\"verb\""]],
    ),
    (
        "a state of Terraform (`tenure import terraform`)",
        &[Source::Terraform],
        &[&["\"terraform_version\""], &["\"format_version\"", "\"values\""]],
    ),
    (
        "records of the audit log (`tenure import audit-log`)",
        &[Source::AuditLog],
        &[&["\"message_uuid\""], &["\"als_service_id\""]],
    ),
    (
        "role collections of XSUAA (`tenure import xsuaa`), or the output of the btp CLI \
         (`tenure import btp-cli --command …`)",
        &[Source::Xsuaa, Source::BtpCli],
        &[&["\"roleReferences\""], &["\"userReferences\""], &["\"isReadOnly\""]],
    ),
    (
        "the Cloud Foundry API (`tenure import cf`)",
        &[Source::Cf],
        &[&["\"pagination\""], &["\"created_at\"", "\"relationships\""], &["\"type\"", "\"audit."]],
    ),
    (
        "SCIM users or groups (`tenure import scim`, of XSUAA `tenure import xsuaa`)",
        &[Source::Scim, Source::Xsuaa],
        &[
            &["urn:ietf:params:scim"],
            &["urn:scim:schemas"],
            &["\"totalResults\""],
            &["\"userName\""],
        ],
    ),
    ("entries of the ledger (`tenure import jsonl`)", &[Source::Jsonl], &[&["\"changes\""]]),
];

impl Source {
    /// Its name, as commands and observations have it
    pub fn name(self) -> &'static str {
        match self {
            Self::BtpCli => "btp-cli",
            Self::Cf => "cf",
            Self::AuditLog => "audit-log",
            Self::Xsuaa => "xsuaa",
            Self::Scim => "scim",
            Self::Terraform => "terraform",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Map => "map",
        }
    }

    /// Who acts where a record does not say it
    pub fn actor(self) -> String {
        format!("client:tenure/import-{}", self.name())
    }

    /// What it reads, for a sentence
    pub(crate) fn reads(self) -> &'static str {
        match self {
            Self::BtpCli => "exchanges with the btp CLI server, one JSON object a line",
            Self::Cf => "answers of the Cloud Foundry API, version 3, as JSON",
            Self::AuditLog => "records of SAP's audit log retrieval API, as JSON",
            Self::Xsuaa => "role collections, users or identity providers of XSUAA, as JSON",
            Self::Scim => "SCIM users and groups, as JSON",
            Self::Terraform => "a state of Terraform, or what `terraform show -json` prints",
            Self::Csv => "a table with a header that has `time` and `action`",
            Self::Jsonl => "entries of the ledger, one JSON object a line",
            Self::Map => "a table with the header `kind,id,name,origin`",
        }
    }

    /// What a file looks like that is surely of another kind
    pub(crate) fn other_kind(self, first: &[u8]) -> Option<&'static str> {
        let text = String::from_utf8_lossy(first);
        let text = text.trim_start();
        let is_json = text.starts_with(['{', '[']);
        if text.starts_with("PK\u{3}\u{4}") {
            return Some("a workbook or another zip file");
        }
        if text.starts_with("%PDF") {
            return Some("a PDF");
        }
        if text.starts_with('<') {
            return Some("HTML or XML");
        }
        if is_json {
            if matches!(self, Self::Csv | Self::Map) {
                return Some("JSON");
            }
            let fits = |groups: &Groups| {
                groups.iter().any(|all| all.iter().all(|part| text.contains(part)))
            };
            let mut looks = LOOKS.iter().filter(|(_, _, groups)| fits(groups)).peekable();
            let first = looks.peek().map(|(looks_like, ..)| *looks_like);
            return if looks.any(|(_, sources, _)| sources.contains(&self)) { None } else { first };
        }
        let line = text.lines().next().unwrap_or_default();
        let is_table = line.contains(',') || line.contains(';') || line.contains('\t');
        (is_table && !matches!(self, Self::Csv | Self::Map))
            .then_some("a table (`tenure import csv`)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_kind_is_told() {
        let exchange = br#"{"t":"x","cmd":"security/role-collection","verb":"list","body":[{"isReadOnly":true}]}"#;
        assert_eq!(Source::BtpCli.other_kind(exchange), None);
        assert!(Source::Cf.other_kind(exchange).unwrap().contains("btp-cli"));
        let state = br#" {"version": 4, "terraform_version": "1.12.2"}"#;
        assert_eq!(Source::Terraform.other_kind(state), None);
        assert!(Source::BtpCli.other_kind(state).unwrap().contains("terraform"));
        assert!(Source::BtpCli.other_kind(b"subaccount,user\ndev,ada").unwrap().contains("csv"));
        assert_eq!(Source::Csv.other_kind(b"time,action\n"), None);
        assert_eq!(
            Source::Cf.other_kind(b"PK\x03\x04rest"),
            Some("a workbook or another zip file")
        );
        assert_eq!(Source::AuditLog.other_kind(b"[]"), None);
    }
}
