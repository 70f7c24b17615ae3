//! Which resources does a state have?

use serde_json::Value;

use crate::document::Document;
use crate::json::{items, text};
use crate::record::Place;

/// The last parts of the address of the provider, in whatever registry
const PROVIDER: [&str; 2] = ["sap", "btp"];

/// A state
#[derive(Debug)]
pub(crate) struct State<'d> {
    pub(crate) place: Place,
    pub(crate) document: &'d Value,
    /// Not in what `show -json` prints
    pub(crate) lineage: Option<String>,
    pub(crate) serial: Option<u64>,
    pub(crate) resources: Vec<Resource<'d>>,
}

/// An instance of a resource
#[derive(Debug)]
pub(crate) struct Resource<'d> {
    pub(crate) place: Place,
    /// As Terraform writes it, for sentences
    pub(crate) address: String,
    pub(crate) type_of: &'d str,
    mode: &'d str,
    provider: &'d str,
    is_deposed: bool,
    pub(crate) attributes: &'d Value,
}

/// Who acts for a state
pub(crate) fn actor(lineage: &str) -> String {
    format!("client:terraform/{lineage}")
}

impl State<'_> {
    pub(crate) fn actor(&self) -> Option<String> {
        self.lineage.as_deref().map(actor)
    }
}

impl Resource<'_> {
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        text(self.attributes, key)
    }

    /// Why it says nothing of what is meant to be, if that is so
    pub(crate) fn not_read(&self) -> Option<&'static str> {
        let is_btp = self.type_of.starts_with("btp_");
        if !is_btp {
            return Some("resources that are not about access");
        }
        if !is_of_btp(self.provider) {
            return Some("resources of another provider than `sap/btp`");
        }
        if self.mode != "managed" {
            return Some("data sources: they were read, not meant");
        }
        self.is_deposed.then_some("objects that are replaced and wait for their deletion")
    }
}

/// Whether a provider is that of SAP BTP: `provider["registry.terraform.io/sap/btp"]`, or the address alone
fn is_of_btp(provider: &str) -> bool {
    let address = provider.split('"').nth(1).unwrap_or(provider);
    let mut parts = address.rsplit('/');
    let [owner, name] = PROVIDER;
    let mut is = |wanted: &str| parts.next().is_some_and(|part| part.eq_ignore_ascii_case(wanted));
    is(name) && is(owner)
}

/// Reads a file
///
/// # Errors
/// A sentence that says why it is no state that can be read.
pub(crate) fn read(document: &Document) -> Result<State<'_>, String> {
    let value = &document.value;
    let place = document.place(0);
    let has = |key| value.get(key).is_some();
    if has("encrypted_data") {
        return Err("it is an encrypted state of OpenTofu: decrypt it with `tofu state pull` or `tofu show -json`"
            .to_owned());
    }
    let mut resources = Vec::new();
    if has("format_version") {
        if has("planned_values") {
            return Err(
                "it is a plan, not a state: print the state with `terraform show -json`".to_owned()
            );
        }
        if let Some(root) = value.pointer("/values/root_module") {
            modules(root, document, &mut resources)?;
        }
        return Ok(State { place, document: value, lineage: None, serial: None, resources });
    }
    match value.get("version").map(Value::as_u64) {
        Some(Some(4)) => {}
        Some(version) => {
            let version = version.map_or_else(String::new, |version| format!(" {version}"));
            return Err(format!(
                "it is a state of version{version}, and version 4 is read: `terraform state pull` of a newer release \
                 writes it"
            ));
        }
        None => {
            return Err("it is neither a state nor what `terraform show -json` prints".to_owned());
        }
    }
    for resource in items(value, "resources") {
        let text = |key| resource.get(key).and_then(Value::as_str).unwrap_or_default();
        for instance in items(resource, "instances") {
            let index =
                instance.get("index_key").map_or_else(String::new, |key| format!("[{key}]"));
            let module = match text("module") {
                "" => String::new(),
                module => format!("{module}."),
            };
            resources.push(Resource {
                place: document.place(resources.len()),
                address: format!("{module}{}.{}{index}", text("type"), text("name")),
                type_of: text("type"),
                mode: text("mode"),
                provider: text("provider"),
                is_deposed: instance.get("deposed").is_some_and(|key| !key.is_null()),
                attributes: instance.get("attributes").unwrap_or(&Value::Null),
            });
        }
    }
    let serial = value.get("serial").and_then(Value::as_u64);
    Ok(State { place, document: value, lineage: text(value, "lineage"), serial, resources })
}

/// Resources of a module and of those in it, however deep they lie
fn modules<'d>(
    root: &'d Value,
    document: &Document,
    resources: &mut Vec<Resource<'d>>,
) -> Result<(), String> {
    let mut waiting = vec![root];
    while let Some(module) = waiting.pop() {
        waiting.extend(items(module, "child_modules").iter().rev());
        for resource in items(module, "resources") {
            let text = |key| resource.get(key).and_then(Value::as_str);
            let type_of = text("type").ok_or("a resource in it has no `type`")?;
            resources.push(Resource {
                place: document.place(resources.len()),
                address: text("address").unwrap_or(type_of).to_owned(),
                type_of,
                mode: text("mode").unwrap_or_default(),
                provider: text("provider_name").unwrap_or_default(),
                is_deposed: resource.get("deposed_key").is_some_and(|key| !key.is_null()),
                attributes: resource.get("values").unwrap_or(&Value::Null),
            });
        }
    }
    Ok(())
}
