//! What does the ledger cost on a big landscape?
//!
//! [`landscape`] makes histories up, of any length and the same for the same seed; [`question`] makes
//! questions about them, and [`in_process`] asks them of a ledger. The sizes are assumptions, labelled so wherever they are shown: no figure of a
//! customer's landscape is public.

pub mod in_process;
pub mod landscape;
pub mod question;
