//! The text of an `Authorization: X-Matrix` header (RFC 9110, 11.4, and what the specification adds
//! to it for older servers: colons need no quotes, and there may be several spaces).

use ruma::{OwnedServerName, serde::Base64};

use super::XMatrixError;

/// What a header says.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub(super) origin: OwnedServerName,
    pub(super) destination: Option<OwnedServerName>,
    pub(super) key_id: String,
    pub(super) signature: Base64,
}

#[derive(Default)]
struct Parameters {
    origin: Option<String>,
    destination: Option<String>,
    key: Option<String>,
    sig: Option<String>,
}

/// Reads a header.
pub(super) fn parse(text: &str) -> Result<Credentials, XMatrixError> {
    let wrong = |what: &str| XMatrixError::Header(format!("the credentials {what}"));
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("X-Matrix") {
        return Err(wrong("are not of the scheme X-Matrix"));
    }
    let found = parameters(rest).ok_or_else(|| wrong("cannot be read"))?;
    let need = |value: Option<String>, name: &str| {
        value.ok_or_else(|| wrong(&format!("have no parameter {name}")))
    };
    let server = |name: String| {
        OwnedServerName::try_from(name).map_err(|_| wrong("name something that is no server"))
    };
    let key_id = need(found.key, "key")?;
    // What is no key's id would only be looked for in vain.
    if !key_id.starts_with("ed25519:") {
        return Err(wrong("name a key that is not of the algorithm ed25519"));
    }
    let signature = Base64::parse(need(found.sig, "sig")?);
    Ok(Credentials {
        origin: server(need(found.origin, "origin")?)?,
        destination: found.destination.map(server).transpose()?,
        key_id,
        signature: signature.map_err(|_| wrong("have a signature that is not base64"))?,
    })
}

/// None: the text is not a list of parameters, or one is there twice.
fn parameters(mut rest: &str) -> Option<Parameters> {
    let mut found = Parameters::default();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(found);
        }
        let (name, after) = rest.split_once('=')?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let (value, after) = value(after)?;
        let after = after.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
        rest = after;
        let slot = match &*name.to_ascii_lowercase() {
            "origin" => &mut found.origin,
            "destination" => &mut found.destination,
            "key" => &mut found.key,
            "sig" => &mut found.sig,
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
}

/// A value, and what comes after it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t', '"']).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return (!value.is_empty()).then(|| (value.to_owned(), after));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

/// The characters of a token (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Texts = (String, String, String, String);

    fn read(text: &str) -> Option<Texts> {
        let read = parse(text).ok()?;
        Some((
            read.origin.to_string(),
            read.destination.map(Into::into).unwrap_or_default(),
            read.key_id,
            read.signature.encode(),
        ))
    }

    fn wanted(origin: &str, destination: &str) -> Texts {
        let texts = [origin, destination, "ed25519:1", "AAAA"].map(str::to_owned);
        texts.into()
    }

    #[test]
    fn every_spelling_of_the_specification_is_read() {
        let both = wanted("a.example:8448", "b.example");
        for text in [
            r#"X-Matrix origin="a.example:8448",destination="b.example",key="ed25519:1",sig="AAAA""#,
            r"X-Matrix origin=a.example:8448,destination=b.example,key=ed25519:1,sig=AAAA",
            r#"x-matrix    sig="AAAA" ,	KEY="ed25519:1", Destination=b.example,origin=a.example:8448"#,
            r#"X-Matrix origin="a\.exa\mple:8448",destination=b.example,key="ed25519:1",sig=AAAA"#,
            r#"X-Matrix origin=a.example:8448,x="a,\"b",destination=b.example,key=ed25519:1,sig=AAAA"#,
            r"X-Matrix ,origin=a.example:8448,,destination=b.example,key=ed25519:1,sig=AAAA,",
        ] {
            assert_eq!(read(text).as_ref(), Some(&both), "{text}");
        }
        let text = "X-Matrix origin=[::1]:1,key=ed25519:1,sig=AAAA";
        assert_eq!(read(text), Some(wanted("[::1]:1", "")));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "X-Matrix",
            "Bearer origin=a,key=ed25519:1,sig=AAAA",
            "X-Matrix origin=a,key=ed25519:1",
            "X-Matrix key=ed25519:1,sig=AAAA",
            "X-Matrix origin=a,sig=AAAA",
            "X-Matrix origin=a,origin=a,key=ed25519:1,sig=AAAA",
            "X-Matrix origin=a,key=ed25519:1,sig=AAAA,key=ed25519:1",
            "X-Matrix origin=a/b,key=ed25519:1,sig=AAAA",
            "X-Matrix origin=a,destination=,key=ed25519:1,sig=AAAA",
            "X-Matrix origin=a,destination=\"\",key=ed25519:1,sig=AAAA",
            "X-Matrix origin=a,key=rsa:1,sig=AAAA",
            "X-Matrix origin=a,key=ed25519:1,sig=\"?\"",
            "X-Matrix origin=\"a,key=ed25519:1,sig=AAAA",
            "X-Matrix origin=\"a\\",
            "X-Matrix origin=\"a\"b,key=ed25519:1,sig=AAAA",
            "X-Matrix origin a,key=ed25519:1,sig=AAAA",
            "X-Matrix or igin=a,key=ed25519:1,sig=AAAA",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
