//! What was so, folded from changes?
//!
//! A holding, a membership and the landscape are each folded from their own changes alone. This room does not
//! know where those changes are kept, and it does not know the questions.

pub(crate) mod edge;
pub(crate) mod holding;
pub(crate) mod landscape;
pub(crate) mod landscape_at;
pub(crate) mod landscapes;
pub(crate) mod membership;
pub(crate) mod observations;
pub(crate) mod order;
pub(crate) mod voids;
