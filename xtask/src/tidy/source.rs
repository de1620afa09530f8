//! Rules on single Rust files: size, documentation, SQL outside the store, sleeping tests.

use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

use super::{
    except,
    files::{SourceFile, is_punct},
};

/// Lines of a file without its tests (STYLE rule 7).
const LINES_MAX: usize = 400;

/// The crates that may write SQL and name a driver: the store, and what sets up its databases.
const SQL_CRATES: [&str; 2] = ["myelin-store", "myelin-testdb"];

pub(super) fn check(root: &Path, sources: &[SourceFile]) -> anyhow::Result<Vec<String>> {
    let (mut sizes, mut docs, mut sql, mut sleeps) = (vec![], vec![], vec![], vec![]);
    for source in sources {
        let path = &source.path;
        if source.lines > LINES_MAX {
            let lines = source.lines;
            let finding =
                format!("{path}: {lines} lines without tests, at most {LINES_MAX} are wanted");
            sizes.push((format!("{path} {lines}"), finding));
        }
        if !source.has_docs && path.contains("/src/") && !source.is_test_file() {
            docs.push((
                path.clone(),
                format!("{path}: begins without //! documentation"),
            ));
        }
        if source
            .package
            .as_deref()
            .is_some_and(|package| !SQL_CRATES.contains(&package))
        {
            let hits = [&source.code, &source.tests]
                .into_iter()
                .flat_map(|tokens| sql_in(tokens));
            sql.extend(hits.map(|(line, what)| {
                (
                    path.clone(),
                    format!("{path}:{line}: {what} belongs into myelin-store"),
                )
            }));
        }
        sleeps.extend(sleeps_in(&source.tests).into_iter().map(|line| {
            (
                path.clone(),
                format!("{path}:{line}: a test waits for a condition, it never sleeps"),
            )
        }));
    }
    let mut findings = except(root, "sizes.txt", sizes)?;
    findings.extend(except(root, "docs.txt", docs)?);
    findings.extend(except(root, "sql.txt", sql)?);
    findings.extend(except(root, "sleeps.txt", sleeps)?);
    Ok(findings)
}

/// Calls `visit` with each token, inside of groups too.
fn walk(tokens: &[TokenTree], visit: &mut dyn FnMut(&TokenTree, Option<&TokenTree>)) {
    for (index, token) in tokens.iter().enumerate() {
        visit(token, tokens.get(index + 1));
        if let TokenTree::Group(group) = token {
            let inside: Vec<TokenTree> = TokenStream::into_iter(group.stream()).collect();
            walk(&inside, visit);
        }
    }
}

fn sql_in(tokens: &[TokenTree]) -> Vec<(usize, &'static str)> {
    let mut hits = Vec::new();
    walk(tokens, &mut |token, next| {
        let line = token.span().start().line;
        match token {
            TokenTree::Ident(ident)
                if (ident == "rusqlite" || ident == "tokio_postgres")
                    && next.is_some_and(|next| is_punct(next, ':') || is_punct(next, ';')) =>
            {
                hits.push((line, "a database driver"));
            }
            TokenTree::Literal(literal) if is_sql(&literal.to_string()) => hits.push((line, "SQL")),
            _ => {}
        }
    });
    hits
}

fn is_sql(literal: &str) -> bool {
    let statement = literal.trim_start_matches(['r', 'b', 'c', '#']);
    let Some(statement) = statement.strip_prefix('"') else {
        return false;
    };
    let statement = statement.replace("\\n", " ");
    let words: Vec<&str> = statement.split_whitespace().take(3).collect();
    matches!(
        words[..],
        ["SELECT" | "WITH" | "PRAGMA" | "VACUUM", _, ..]
            | ["INSERT", "INTO" | "OR", ..]
            | ["DELETE", "FROM", ..]
            | ["UPDATE", _, "SET"]
            | [
                "CREATE" | "ALTER" | "DROP",
                "TABLE" | "INDEX" | "UNIQUE" | "DATABASE",
                ..
            ]
    )
}

fn sleeps_in(tokens: &[TokenTree]) -> Vec<usize> {
    let mut lines = Vec::new();
    walk(tokens, &mut |token, next| {
        let is_call = matches!(next, Some(TokenTree::Group(_)));
        if is_call && matches!(token, TokenTree::Ident(ident) if ident == "sleep") {
            lines.push(token.span().start().line);
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use proc_macro2::{TokenStream, TokenTree};

    use super::{is_sql, sleeps_in, sql_in};

    fn tokens(code: &str) -> Vec<TokenTree> {
        code.parse::<TokenStream>().unwrap().into_iter().collect()
    }

    #[test]
    fn sql_is_known_by_its_first_words() {
        // Split, so that this file passes its own rule.
        for (first, rest) in [
            ("SELECT", "1"),
            ("DELETE", "FROM x"),
            ("UPDATE", "x SET a = 1"),
        ] {
            assert!(is_sql(&format!("\"  {first} {rest}\"")));
            assert!(is_sql(&format!("r#\"{first} {rest}\"#")));
        }
        assert!(!is_sql("\"Select a room\""));
        assert!(!is_sql("\"UPDATE of a room\""));
        assert!(!is_sql("42"));
    }

    #[test]
    fn drivers_and_sleeps_are_found_inside_of_groups() {
        assert_eq!(
            sql_in(&tokens("fn f() {\n rusqlite::open() }")),
            [(2, "a database driver")]
        );
        assert!(sql_in(&tokens("let rusqlite = 1")).is_empty());
        assert_eq!(
            sleeps_in(&tokens("fn f() { tokio::time::sleep(x).await }")),
            [1]
        );
    }
}
