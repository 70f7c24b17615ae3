//! Who acted, as a source says it?

use tenure_core::Principal;

/// The principal that a source's text for an actor names
///
/// - `user/<origin>/<name>` is a user of that origin, as the audit log writes it.
/// - A text with `@` is a user of the default origin.
/// - A principal is itself.
/// - Anything else is a client of the source: a client id, or `UNKNOWN_USER`. It is kept, not replaced.
///
/// `None` if the text is empty or cannot be part of a principal.
pub(crate) fn principal(text: &str, source: &str, default_origin: &str) -> Option<String> {
    let text = text.trim();
    let written = match text.strip_prefix("user/") {
        _ if text.is_empty() => return None,
        Some(rest) => format!("user:{rest}"),
        None if Principal::parse(text).is_ok() => text.to_owned(),
        None if text.contains('@') => format!("user:{default_origin}/{text}"),
        None => format!("client:{source}/{text}"),
    };
    Principal::parse(&written).ok().map(|principal| principal.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_acted_stays() {
        let named = |text| principal(text, "audit-log", "sap.default");
        for (text, expected) in [
            ("user/corp/root@corp.example", "user:corp/root@corp.example"),
            ("root@corp.example", "user:sap.default/root@corp.example"),
            ("sb-abc!b123|cis-central!b14", "client:audit-log/sb-abc!b123|cis-central!b14"),
            ("UNKNOWN_USER", "client:audit-log/UNKNOWN_USER"),
            ("client:terraform/lineage", "client:terraform/lineage"),
        ] {
            assert_eq!(named(text).as_deref(), Some(expected));
        }
        assert_eq!(named(" "), None);
    }
}
