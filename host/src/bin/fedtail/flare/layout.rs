//! Where the things stand in the text of a job's configuration.
//!
//! The text is edited at these places and never written anew, so that all else in it stays byte for byte.

use std::ops::Range;

use jsonc_parser::ast::{Array, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

/// The outermost object and its components.
#[derive(Debug)]
pub struct Layout {
    /// Behind the outermost object's `{`.
    pub inside: usize,
    /// Where the first member begins, and where the last one ends; none: the object is empty.
    pub members: Option<Range<usize>>,
    pub components: Option<Components>,
}

/// The value of `components`.
#[derive(Debug)]
pub struct Components {
    pub place: Range<usize>,
    pub elements: Vec<Element>,
}

/// One component.
#[derive(Debug)]
pub struct Element {
    pub place: Range<usize>,
    pub value: serde_json::Value,
}

impl Layout {
    /// Finds the places in a text.
    ///
    /// # Errors
    ///
    /// It is not a JSON object with a list of components; in words, with line and column.
    pub fn of(text: &str) -> Result<Self, String> {
        // The parser that knows places is made for looser dialects, which FLARE refuses; this one is as strict.
        let known: serde_json::Value = serde_json::from_str(text).map_err(|e| format!("it is not JSON: {e}"))?;
        if !known.is_object() {
            return Err("it is not a JSON object".into());
        }
        let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
        let parsed = parsed.map_err(|e| format!("it is not JSON: {e}"))?;
        let Some(Value::Object(object)) = parsed.value else { return Err("it is not a JSON object".into()) };
        let members = match (object.properties.first(), object.properties.last()) {
            (Some(first), Some(last)) => Some(first.range.start..last.range.end),
            _ => None,
        };
        // Of two members of one name JSON readers take the last.
        let components = object.properties.iter().rfind(|member| member.name.as_str() == "components");
        let components = match components.map(|member| &member.value) {
            None => None,
            Some(Value::NullKeyword(null)) => {
                Some(Components { place: null.range.start..null.range.end, elements: vec![] })
            }
            Some(Value::Array(array)) => Some(Components::of(array, text)?),
            Some(_) => return Err("its \"components\" are not a list".into()),
        };
        Ok(Self { inside: object.range.start + 1, members, components })
    }
}

impl Components {
    fn of(array: &Array<'_>, text: &str) -> Result<Self, String> {
        let element = |value: &Value<'_>| {
            let place = value.range().start..value.range().end;
            let value = serde_json::from_str(&text[place.clone()]).map_err(|e| format!("it is not JSON: {e}"))?;
            Ok(Element { place, value })
        };
        let elements = array.elements.iter().map(element).collect::<Result<_, String>>()?;
        Ok(Self { place: array.range.start..array.range.end, elements })
    }
}
