//! What is wrong with a TOML file, said without a word of the file? A line of it may have a secret

/// What is wrong, and in which line
pub(crate) fn sentence(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, without_value(error.message()))
}

/// A message of a wrong type or value, without the value: "invalid type: integer `7`, expected a string"
fn without_value(message: &str) -> String {
    match message.split_once(", expected ") {
        Some((wrong, expected)) if wrong.starts_with("invalid") => {
            let kind = wrong.split(['`', '"']).next().unwrap_or_default().trim_end();
            format!("{kind}, expected {expected}")
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_not_repeated() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "nothing is ever read into it")]
        struct One {
            text: String,
            number: u32,
        }
        for text in ["text = \"x\"\nnumber = \"hidden\"", "number = 1\ntext = 987654321"] {
            let said = sentence(&toml::from_str::<One>(text).unwrap_err(), text);
            assert!(said.contains("line 2") && said.contains("expected"), "{said}");
            assert!(!said.contains("hidden") && !said.contains("987"), "{said}");
        }
    }
}
