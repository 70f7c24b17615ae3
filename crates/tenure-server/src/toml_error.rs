//! What is wrong with a TOML file, said without a word of the file? A line of it may have a secret

/// What is wrong, and in which line
pub(crate) fn sentence(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}
