//! Patterns: what they match, and what they may cost.

use super::super::pattern::{Pattern, Steps};

fn matches(pattern: &str, text: &str) -> bool {
    Pattern::glob(pattern).matches(&text.to_lowercase(), &mut Steps::new(1 << 20))
}

fn matches_words(pattern: &str, text: &str) -> bool {
    Pattern::glob(pattern).matches_words(&text.to_lowercase(), &mut Steps::new(1 << 20))
}

#[test]
fn a_property_matches_as_a_whole() {
    for (pattern, text, wanted) in [
        ("lunc?*", "Lunch plans", true),
        ("lunc?*", "LUNCH", true),
        ("lunc?*", " lunch", false),
        ("lunc?*", "lunc", false),
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("*", "anything", true),
        ("?", "ä", true),
        ("Ä", "ä", true),
        ("a*b*c", "aXbYbZc", true),
        ("a*b*c", "aXbYbZ", false),
        ("**a**", "bab", true),
        ("[ab]", "a", false),
        ("m.notice", "m.notice", true),
        ("m.notice", "m_notice", false),
    ] {
        assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
    }
}

#[test]
fn a_body_matches_in_words() {
    for (pattern, text, wanted) in [
        ("ex*ple", "An example event.", true),
        ("ex*ple", "exple", true),
        ("ex*ple", "An exciting triple-whammy", true),
        ("ex*ple", "An exciting triplet", false),
        ("cake", "cakes", false),
        ("cake", "cheesecake", false),
        ("cake", "cheese_cake", false),
        ("cake", "(CAKE)", true),
        ("cake", "a cake, please", true),
        ("@room", "hi @room!", true),
        ("c?ke", "coke cake", true),
        ("zwei worte", "es sind Zwei Worte.", true),
        ("猫", "黒猫です", true),
        ("", "anything", true),
    ] {
        assert_eq!(matches_words(pattern, text), wanted, "{pattern} {text}");
    }
}

#[test]
fn patterns_longer_than_a_word_of_bits_match() {
    for length in [63, 64, 65, 127, 128, 129, 1_000] {
        let text = "ab".repeat(length)[..length].to_owned();
        assert!(matches(&text, &text), "{length}");
        assert!(
            matches(&format!("{text}*"), &format!("{text}x")),
            "{length}"
        );
        assert!(!matches(&text, &format!("{text}x")), "{length}");
        assert!(matches_words(&text, &format!("x {text} x")), "{length}");
    }
    assert!(!matches(&"a".repeat(1_025), &"a".repeat(1_025)));
}

#[test]
fn a_pattern_costs_what_it_may_and_no_more() {
    let hostile = Pattern::glob(&"*a".repeat(500));
    let text = "a".repeat(6_000) + " b";
    let mut steps = Steps::new(1 << 20);
    assert!(hostile.matches_words(&text, &mut steps));
    let mut steps = Steps::new(1_000);
    assert!(!hostile.matches_words(&text, &mut steps));
    // Whoever has used up the steps has none left for what would be cheap.
    assert!(!Pattern::glob("b").matches("b", &mut steps));
}

#[test]
fn a_name_means_itself() {
    let name = Pattern::literal("A*?");
    assert!(name.matches("a*?", &mut Steps::new(100)));
    assert!(!name.matches("abc", &mut Steps::new(100)));
}
