//! `myelin config example`: every key with its default and its sentence.

use std::fmt::Write;

use super::keys::{KEYS, Key, Standard};

/// A configuration file that sets every key to its default. Keys whose default follows from other
/// keys are commented out, so that they still follow when one of those is changed.
pub fn example() -> String {
    let mut out = String::from(
        "# Configuration of Myelin. Every key is optional and shown with its default.\n\
         # MYELIN_SECTION__KEY in the environment overrides a key, such as MYELIN_LOG__LEVEL=debug\n\
         # or MYELIN_LISTENERS__0__PORT=8448.\n",
    );
    let mut section = "";
    for key in KEYS {
        let (key_section, name) = key.section_and_name();
        if key_section != section {
            section = key_section;
            out.push('\n');
            out.push_str(&header(section));
        }
        write_key(&mut out, key, name);
    }
    out
}

fn header(section: &str) -> String {
    if section == "listeners" {
        "# Repeat this section for further listeners.\n[[listeners]]\n".to_owned()
    } else {
        format!("[{section}]\n")
    }
}

fn write_key(out: &mut String, key: &Key, name: &str) {
    let not_yet = if key.in_effect {
        ""
    } else {
        " No effect in this version."
    };
    let follows = matches!(key.standard, Standard::Follows(_));
    let (comment, literal) = (if follows { "# " } else { "" }, key.standard.literal());
    writeln!(
        out,
        "# {}{not_yet}\n{comment}{name} = {literal}",
        key.sentence
    )
    .expect("writing to a string does not fail");
}
