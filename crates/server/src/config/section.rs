//! How a section of the configuration is written down once: its struct, its defaults, its reading, its part of
//! the sample and its part of the manual come from the same lines.

use toml::Spanned;
use toml::de::DeTable;

use super::findings::{Findings, suggestion};
use super::value::Value;

/// One key of a section, for the sample and the manual.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// As it stands before the `=`.
    pub(crate) name: &'static str,
    /// Meaning and unit, a line of the source each.
    pub(crate) doc: &'static [&'static str],
    /// As TOML.
    pub(crate) default: String,
    /// The smallest value, with the standard that asks for it (empty where none does).
    pub(crate) minimum: Option<(u64, &'static str)>,
}

/// One table of the file.
pub(crate) trait Section: Default {
    /// Its keys in the order of the struct.
    fn keys(&self) -> Vec<Key>;

    /// What it is for, a line of the source each.
    fn doc() -> &'static [&'static str];

    /// Takes the value of one key; `false` where the section has no such key.
    fn read_key(
        &mut self,
        name: &str,
        value: &Spanned<toml::de::DeValue<'_>>,
        findings: &mut Findings,
    ) -> bool;

    /// Reads a table. Keys that do not belong there are findings, except those in `passed_over`.
    fn read(table: &DeTable<'_>, passed_over: &[&str], findings: &mut Findings) -> Self {
        let mut section = Self::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if passed_over.contains(&name) || section.read_key(name, value, findings) {
                continue;
            }
            let names: Vec<_> =
                section.keys().iter().map(|key| key.name).chain(passed_over.iter().copied()).collect();
            findings.add(key.span(), format!("unknown key `{name}`"), suggestion(name, &names));
        }
        section
    }
}

/// Reads one value, keeps it where it may stand, and says what is wrong with it where not.
pub(crate) fn read_value<T: Value>(
    field: &mut T,
    name: &str,
    value: &Spanned<toml::de::DeValue<'_>>,
    minimum: Option<(u64, &'static str)>,
    findings: &mut Findings,
) {
    let read = match T::read(value.get_ref()) {
        Ok(read) => read,
        Err(fault) => {
            return findings.add(value.span(), format!("`{name}`: {}", fault.what), fault.mend);
        }
    };
    if let (Some((minimum, source)), Some(magnitude)) = (minimum, read.magnitude())
        && magnitude < minimum
    {
        let because = if source.is_empty() { String::new() } else { format!(" ({source})") };
        return findings.add(
            value.span(),
            format!("`{name}` must be at least {minimum}{because}"),
            format!("the default is {}", field.write()),
        );
    }
    *field = read;
}

/// The name of a field in the file: that of a keyword of Rust without its mark.
pub(crate) fn key_name(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}

/// Declares sections. Each field: doc comment, name, type, default, and after `min` the smallest value with
/// the standard that asks for it.
macro_rules! sections {
    ($(
        $(#[doc = $doc:literal])*
        struct $name:ident {
            $( $(#[doc = $field_doc:literal])* $field:ident: $type:ty = $default:expr
               $(, min $minimum:expr, $source:literal)?; )*
        }
    )*) => { $(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $( $(#[doc = $field_doc])* pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::config::section::Section for $name {
            fn keys(&self) -> Vec<$crate::config::section::Key> {
                vec![ $( $crate::config::section::Key {
                    name: $crate::config::section::key_name(stringify!($field)),
                    doc: &[ $( $field_doc, )* ],
                    default: $crate::config::value::Value::write(&self.$field),
                    minimum: sections!(@minimum $($minimum, $source)?),
                }, )* ]
            }

            fn doc() -> &'static [&'static str] {
                &[ $( $doc, )* ]
            }

            fn read_key(
                &mut self,
                name: &str,
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                findings: &mut $crate::config::findings::Findings,
            ) -> bool {
                match name {
                    $( _ if name == $crate::config::section::key_name(stringify!($field)) => $crate::config::section::read_value(
                        &mut self.$field, name, value, sections!(@minimum $($minimum, $source)?), findings,
                    ), )*
                    _ => return false,
                }
                true
            }
        }
    )* };
    (@minimum) => { None };
    (@minimum $minimum:expr, $source:literal) => { Some(($minimum, $source)) };
}
pub(crate) use sections;
