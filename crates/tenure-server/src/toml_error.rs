//! What is wrong with a TOML file, said without a word of the file? A line of it may have a secret

/// What is wrong, and in which line
pub(crate) fn sentence(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    match error.message().split_once(", expected ") {
        // A wrong type or value, as "invalid type: integer `7`, expected a string": what stands before it is its key.
        Some((wrong, expected)) if wrong.starts_with("invalid") => {
            let kind = wrong.split(['`', '"']).next().unwrap_or_default().trim_end();
            let key = before.rsplit('\n').next().and_then(|line| line.split_once('='));
            let key = key.map(|(key, _)| format!(", `{}`", key.trim())).unwrap_or_default();
            format!("line {line}{key}: {kind}, expected {expected}")
        }
        _ => format!("line {line}: {}", error.message()),
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
        for (key, text) in [
            ("number", "text = \"x\"\nnumber = \"hidden\""),
            ("text", "number = 1\ntext = 987654321"),
        ] {
            let said = sentence(&toml::from_str::<One>(text).unwrap_err(), text);
            assert!(
                said.contains(&format!("line 2, `{key}`")) && said.contains("expected"),
                "{said}"
            );
            assert!(!said.contains("hidden") && !said.contains("987"), "{said}");
        }
    }
}
