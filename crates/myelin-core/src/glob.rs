//! Patterns in which `*` stands for any text and `?` for one character (spec: "Glob-style
//! matching").

/// Whether the whole text matches the pattern. Cost: at most the product of their lengths.
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where the last star stands, and from where in the text it is to be tried next.
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some('*') => {
                star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => {
                let Some((star_at, tried_from)) = star else {
                    return false;
                };
                // The star takes one character more.
                star = Some((star_at, tried_from + 1));
                at_pattern = star_at + 1;
                at_text = tried_from + 1;
            }
        }
    }
    pattern[at_pattern..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, matches) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("**", "x", true),
            ("a", "a", true),
            ("a", "A", false),
            ("?", "a", true),
            ("?", "\u{e4}", true),
            ("?", "", false),
            ("?", "ab", false),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("example.org", "notexample.org", false),
            ("@spam*:*", "@spam1:example.org", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("a*?c", "abc", true),
            ("a*?c", "ac", false),
            ("[ab]", "a", false),
            ("[ab]", "[ab]", true),
        ] {
            assert_eq!(glob_matches(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(60) + "b";
        assert!(!glob_matches(&pattern, &"a".repeat(255)));
    }
}
