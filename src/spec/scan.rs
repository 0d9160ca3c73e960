//! A look at the characters of a PromQL text: brackets, quotes, and how much there is of everything.
//!
//! Why: the parser gives no positions, and its tree is built and dropped by recursion, so that a text of forty
//! thousand parentheses or minus signs would end the program.

/// Longest query, in bytes: far beyond what people write.
const MAX_BYTES: usize = 16 * 1024;
/// Deepest brackets.
const MAX_DEPTH: usize = 64;
/// Operators in a row or not: each may be a level of the tree.
const MAX_OPERATORS: usize = 256;

/// What is wrong, and the characters to blame.
type Finding = (String, (usize, usize));

/// Whether the brackets and quotes of a query close, and whether it is within the bounds.
///
/// # Errors
/// With the first thing wrong and where it is, in characters from 0.
pub fn check(text: &str) -> Result<(), Finding> {
    if text.len() > MAX_BYTES {
        return Err((format!("this query is longer than {MAX_BYTES} bytes"), (0, 0)));
    }
    let characters: Vec<char> = text.chars().collect();
    let mut open: Vec<(char, usize)> = Vec::new();
    let mut operators = 0;
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        match character {
            '"' | '\'' | '`' => at = string_end(&characters, at)?,
            '#' => at = characters.iter().skip(at).position(|c| *c == '\n').map_or(characters.len(), |end| at + end),
            '(' | '[' | '{' => {
                open.push((character, at));
                if open.len() > MAX_DEPTH {
                    return Err((format!("brackets deeper than {MAX_DEPTH} levels"), (at, at + 1)));
                }
            }
            ')' | ']' | '}' => match open.pop() {
                Some((begin, _)) if closes(begin, character) => {}
                Some((begin, from)) => {
                    return Err((format!("`{begin}` is closed by `{character}`"), (from, at + 1)));
                }
                None => return Err((format!("`{character}` closes nothing"), (at, at + 1))),
            },
            '+' | '-' | '*' | '/' | '%' | '^' | '<' | '>' | '!' => operators += 1,
            _ if is_word(character) && (at == 0 || !is_word_at(&characters, at - 1)) => {
                operators += usize::from(is_operator(&characters, at));
            }
            _ => {}
        }
        if operators > MAX_OPERATORS {
            return Err((format!("more than {MAX_OPERATORS} operators"), (at, at + 1)));
        }
        at += 1;
    }
    match open.pop() {
        Some((begin, from)) => Err((format!("`{begin}` is not closed"), (from, from + 1))),
        None => Ok(()),
    }
}

fn closes(begin: char, end: char) -> bool {
    matches!((begin, end), ('(', ')') | ('[', ']') | ('{', '}'))
}

const fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == ':'
}

fn is_word_at(characters: &[char], at: usize) -> bool {
    characters.get(at).copied().is_some_and(is_word)
}

/// Whether the word that begins here is an operator.
fn is_operator(characters: &[char], at: usize) -> bool {
    let word: String = characters.iter().skip(at).take_while(|c| is_word(**c)).collect();
    matches!(word.to_ascii_lowercase().as_str(), "and" | "or" | "unless" | "atan2")
}

/// Where the string that begins at `from` ends.
fn string_end(characters: &[char], from: usize) -> Result<usize, Finding> {
    let quote = characters.get(from).copied();
    let mut at = from + 1;
    while let Some(&character) = characters.get(at) {
        if Some(character) == quote {
            return Ok(at);
        }
        at += if character == '\\' && quote != Some('`') { 2 } else { 1 };
    }
    Err(("this string is not closed".to_owned(), (from, characters.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_within_strings_and_comments_do_not_count() {
        for text in [r#"a{b="}"}"#, "a # )", r"a{b='\''}", "a{b=`\\`}", "rate(a[{{.window}}])", "sum(a) # x\n + b"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_does_not_close_is_pointed_at() {
        let within = |text: &str| check(text).unwrap_err().1;
        assert_eq!(within("sum(a"), (3, 4));
        assert_eq!(within("sum a)"), (5, 6));
        assert_eq!(within("sum(a]"), (3, 6));
        assert_eq!(within("ä{b=\"c"), (4, 6));
    }
}
