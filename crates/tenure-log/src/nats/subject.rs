//! Which subjects and which stream belong to a ledger?
//!
//! Only this module and the door for questions name subjects.

use tenure_core::Principal;

/// The stream of a ledger: `TENURE_<LEDGER>`, in upper case, `-` as `_`
pub fn stream(ledger: &str) -> String {
    format!("TENURE_{}", ledger.to_ascii_uppercase().replace('-', "_"))
}

/// The subjects that the stream takes: `tenure.<ledger>.log.*`
pub fn log(ledger: &str) -> String {
    format!("tenure.{ledger}.log.*")
}

/// Who publishes on a subject of the log: the token after `log.` names a client; `None` for a token that is no name
///
/// The permissions of the NATS server say who may publish under which token.
pub fn submitter(ledger: &str, subject: &str) -> Option<Principal> {
    let token = subject.strip_prefix("tenure.")?.strip_prefix(ledger)?.strip_prefix(".log.")?;
    Principal::of_nats(token)
}

/// The token of the ledger's own programs
const OWN_TOKEN: &str = "ledger";

/// The subject on which the ledger itself appends the entries from its doors
pub fn appended(ledger: &str) -> String {
    format!("tenure.{ledger}.log.{OWN_TOKEN}")
}

/// The client that the ledger's own programs are in the log
pub fn own_client() -> Principal {
    Principal::of_nats(OWN_TOKEN).unwrap_or_else(Principal::invalid_nats)
}

/// The subject on which an operator appends entries that the stream has lost
///
/// It is the only subject whose messages say when their entries were recorded and who submitted them. No submitter may
/// publish there.
pub fn republished(ledger: &str) -> String {
    format!("tenure.{ledger}.log.republished")
}

/// The subject on which replicas tell each other their digests; it is not part of the log
pub fn digests(ledger: &str) -> String {
    format!("tenure.{ledger}.replica.digest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_after_log_names_the_submitter() {
        let of = |token: &str| submitter("acme", &format!("tenure.acme.log.{token}"));
        let named = |token: &str| of(token).map(|submitter| submitter.to_string());
        assert_eq!(named("crm").as_deref(), Some("client:nats/crm"));
        assert_eq!(named("ledger").as_deref(), Some("client:nats/ledger"));
        let long = "x".repeat(513);
        for invalid in ["a\u{202e}b", "e\u{301}", "\u{7f}", "\u{a0}a", long.as_str(), ""] {
            assert_eq!(of(invalid), None, "{invalid:?}");
        }
        assert_eq!(submitter("acme", "tenure.other.log.crm"), None);
    }
}
