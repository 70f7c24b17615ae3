//! Which schemas are there for programs that write entries?
//!
//! Generated from the types of [`crate::v1`] and [`crate::catalogs`]; checked in under `schemas/`.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

use crate::catalogs::CatalogFile;
use crate::v1;

/// Every generated JSON Schema, with the name of its file under `schemas/`
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("entry.schema.json", schema::<v1::Entry>()),
        ("draft.schema.json", schema::<v1::Draft>()),
        ("catalog.schema.json", schema::<v1::Catalog>()),
        ("catalog-file.schema.json", schema::<CatalogFile>()),
    ]
}

fn schema<T: JsonSchema>() -> Value {
    let generator = SchemaGenerator::from(SchemaSettings::draft2020_12());
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    forbid_null(&mut schema);
    schema
}

/// Takes `null` out of every type, because an absent field is left out and never null
pub fn forbid_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    map.insert("type".to_owned(), one);
                }
            }
            for list in ["anyOf", "oneOf"] {
                let Some(Value::Array(parts)) = map.get_mut(list) else { continue };
                parts.retain(|part| part.get("type").is_none_or(|kind| kind != "null"));
                if let [Value::Object(one)] = parts.as_slice() {
                    let one = one.clone();
                    map.remove(list);
                    map.extend(one);
                }
            }
            map.values_mut().for_each(forbid_null);
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_null),
        _ => {}
    }
}
