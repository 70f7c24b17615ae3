//! Which subjects and which stream belong to a ledger?
//!
//! Only this module and the door for questions name subjects.

/// The stream of a ledger: `TENURE_<LEDGER>`, in upper case, `-` as `_`
pub fn stream(ledger: &str) -> String {
    format!("TENURE_{}", ledger.to_ascii_uppercase().replace('-', "_"))
}

/// The subjects that the stream takes: `tenure.<ledger>.log.>`
pub fn log(ledger: &str) -> String {
    format!("tenure.{ledger}.log.>")
}

/// The subject on which the ledger itself appends the entries from its doors
pub fn appended(ledger: &str) -> String {
    format!("tenure.{ledger}.log.ledger")
}

/// The subject on which an operator appends entries that the stream has lost
///
/// It is the only subject whose messages say when their entries were recorded. No submitter may publish there.
pub fn republished(ledger: &str) -> String {
    format!("tenure.{ledger}.log.republished")
}

/// The subject on which replicas tell each other their digests; it is not part of the log
pub fn digests(ledger: &str) -> String {
    format!("tenure.{ledger}.replica.digest")
}
