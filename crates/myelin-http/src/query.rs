//! Query strings, for handlers that do not use ruma's request types.

use http::Uri;

use crate::MatrixError;

/// The decoded pairs of a query string in their order.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Decodes the query of `uri`; bytes that are not UTF-8 are refused.
    pub fn of(uri: &Uri) -> Result<Self, MatrixError> {
        Self::parse(uri.query().unwrap_or_default())
    }

    /// Decodes the body of a form, which is written alike.
    pub fn of_form(body: &[u8]) -> Result<Self, MatrixError> {
        let text = std::str::from_utf8(body)
            .map_err(|_| MatrixError::invalid_param("The form is not UTF-8."))?;
        Self::parse(text)
    }

    fn parse(text: &str) -> Result<Self, MatrixError> {
        let mut pairs = Vec::new();
        for pair in text.split('&') {
            if pair.is_empty() {
                continue;
            }
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode(key)?, decode(value)?));
        }
        Ok(Self { pairs })
    }

    /// The value of `key`, refused if it is given twice: which one counts would be a guess.
    pub fn get(&self, key: &str) -> Result<Option<&str>, MatrixError> {
        let mut values = self.all(key);
        let first = values.next();
        if values.next().is_some() {
            return Err(MatrixError::invalid_param(format!(
                "`{key}` must be specified only once."
            )));
        }
        Ok(first)
    }

    /// The value of `key` as a number that is not negative.
    pub fn number(&self, key: &str) -> Result<Option<u64>, MatrixError> {
        self.get(key)?
            .map(|value| {
                value.parse().map_err(|_| {
                    MatrixError::invalid_param(format!("`{key}` must be a whole number."))
                })
            })
            .transpose()
    }

    /// All values of `key`, for those that may be repeated.
    pub fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

/// Decodes `application/x-www-form-urlencoded`. A per cent sign that starts no escape stands for
/// itself, as browsers read it.
fn decode(text: &str) -> Result<String, MatrixError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let byte = match (first, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high * 16 + low
                }
                _ => b'%',
            },
            _ => first,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes)
        .map_err(|_| MatrixError::invalid_param("The query string is not UTF-8."))
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &'static str) -> Query {
        Query::of(&Uri::from_static(text)).unwrap()
    }

    #[test]
    fn escapes_and_plus_signs_are_decoded() {
        let query = query("/x?a=b+c%20d&%C3%A4=%2B&empty=&bare&odd=%zz%4");
        assert_eq!(query.get("a").unwrap(), Some("b c d"));
        assert_eq!(query.get("ä").unwrap(), Some("+"));
        assert_eq!(query.get("empty").unwrap(), Some(""));
        assert_eq!(query.get("bare").unwrap(), Some(""));
        assert_eq!(query.get("odd").unwrap(), Some("%zz%4"));
        assert_eq!(query.get("absent").unwrap(), None);
    }

    #[test]
    fn forms_are_read_like_queries() {
        let form = Query::of_form(b"password=a+b%26c&token=").unwrap();
        assert_eq!(form.get("password").unwrap(), Some("a b&c"));
        assert_eq!(form.get("token").unwrap(), Some(""));
        assert!(Query::of_form(b"a=\xff").is_err());
    }

    #[test]
    fn a_repeated_key_is_refused_unless_all_are_asked_for() {
        let query = query("/x?via=a&via=b&limit=10");
        assert!(query.get("via").unwrap_err().message.contains("only once"));
        assert_eq!(query.all("via").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(query.number("limit").unwrap(), Some(10));
    }

    #[test]
    fn numbers_and_utf8_are_checked() {
        assert!(query("/x?limit=ten").number("limit").is_err());
        assert!(query("/x?limit=-1").number("limit").is_err());
        assert!(Query::of(&Uri::from_static("/x?a=%ff")).is_err());
    }
}
