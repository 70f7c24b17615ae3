//! Under which subjects is the ledger asked?

/// The queue group that replicas share; ADR-32's own
pub(super) const QUEUE_GROUP: &str = "q";

/// The subject of a question
pub(super) fn ask_subject(ledger: &str, question: &str) -> String {
    format!("tenure.{ledger}.ask.{question}")
}
