//! Which subjects and which stream are a ledger's?
//!
//! Nothing but this module and the door for questions names a subject.

/// The stream of a ledger: `TENURE_<LEDGER>`, in upper case, `-` as `_`
pub fn stream(ledger: &str) -> String {
    format!("TENURE_{}", ledger.to_ascii_uppercase().replace('-', "_"))
}

/// What the stream takes: `tenure.<ledger>.log.>`
pub fn log(ledger: &str) -> String {
    format!("tenure.{ledger}.log.>")
}

/// Where the ledger itself appends what came to its doors
pub fn appended(ledger: &str) -> String {
    format!("tenure.{ledger}.log.ledger")
}

/// Where an operator appends what the stream has lost: the one subject whose messages say when their
/// entries were recorded. No submitter may publish there.
pub fn republished(ledger: &str) -> String {
    format!("tenure.{ledger}.log.republished")
}

/// Where replicas tell each other their digests; no part of the log
pub fn digests(ledger: &str) -> String {
    format!("tenure.{ledger}.replica.digest")
}
