//! What stands at a key?

use serde_json::Value;

/// A text at a key, if it is one and not empty
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The items of a list, or none
pub(crate) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// How many there are in all, as the pages of a SCIM listing say it
#[derive(Debug, Default)]
pub(crate) struct Totals {
    total: Option<u64>,
    /// Whether a page says no total, or another one than the pages before
    differ: bool,
}

impl Totals {
    /// Takes a page, or a value that is none
    pub(crate) fn add(&mut self, page: &Value) {
        let total = page.get("totalResults").and_then(Value::as_u64);
        self.differ |= total.is_none() || self.total.is_some_and(|known| Some(known) != total);
        self.total = total;
    }

    /// Whether so many different ones are all there are
    pub(crate) fn prove(&self, read: usize) -> bool {
        !self.differ && self.total == Some(read as u64)
    }
}
