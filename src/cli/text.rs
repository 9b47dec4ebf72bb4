//! Text on a terminal: how wide it is, and how it is cut, folded and set beside labels.

use unicode_width::UnicodeWidthStr;

/// A column of values that is narrower than this breaks what should stay together, instants for example.
const NARROWEST_VALUES: usize = 28;

/// What becomes of a word that is longer than a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongWord {
    /// It goes on on the next line.
    Break,
    /// It stays as it is: a path or a key that is to be copied, which the terminal wraps.
    Keep,
}

/// How many columns of a terminal a text takes (Unicode Standard Annex #11); control sequences
/// (ECMA-48: CSI, parameters, a final octet from 0x40 on) take none.
pub fn width(text: &str) -> usize {
    let mut parts = text.split("\u{1b}[");
    let before = parts.next().map_or(0, UnicodeWidthStr::width);
    let behind =
        |part: &str| part.split_once(|c| ('\u{40}'..='\u{7e}').contains(&c)).map_or(0, |(_, text)| text.width());
    before + parts.map(behind).sum::<usize>()
}

/// A text on one line without control characters: what others say must not move the cursor.
pub fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace(char::is_control, "\u{fffd}")
}

/// A text in no more than `room` columns, with … where something is missing.
pub fn cut(text: &str, room: usize) -> String {
    match room.checked_sub(1) {
        _ if width(text) <= room => text.to_owned(),
        None => String::new(),
        Some(room) => format!("{}…", beginning(text, room).trim_end()),
    }
}

/// The longest beginning that takes no more than `room` columns.
fn beginning(text: &str, room: usize) -> &str {
    let beginnings = text.char_indices().filter_map(|(at, c)| text.get(..at + c.len_utf8()));
    beginnings.take_while(|beginning| beginning.width() <= room).last().unwrap_or_default()
}

/// A text in lines of no more than `room` columns, broken between words; all but the first begin `hang`
/// columns further in. Gaps between words, which align columns, are closed where that saves a line.
pub fn fold(text: &str, room: usize, hang: usize, long: LongWord) -> String {
    let hang = hang.min(room / 3);
    let (mut folded, mut used) = (String::new(), 0);
    let mut rest = text;
    // Nothing can be appended to a line that has nothing yet but its indent: there the word itself breaks.
    let mut fresh = true;
    while !rest.is_empty() {
        let behind = rest.trim_start_matches(' ');
        let gap = rest.len() - behind.len();
        let (mut word, behind) = behind.split_at(behind.find(' ').unwrap_or(behind.len()));
        rest = behind;
        let gap = if fresh { if used == 0 { gap } else { 0 } } else { gap.max(1) };
        let fits = |gap: usize| used + gap + width(word) <= room;
        match [gap, gap.min(1)].into_iter().find(|gap| fits(*gap)) {
            Some(gap) => {
                folded.push_str(&" ".repeat(gap));
                used += gap;
            }
            None if fresh => {}
            None => {
                break_line(&mut folded, hang);
                used = hang;
            }
        }
        while long == LongWord::Break && used + width(word) > room {
            let (head, tail) = word.split_at(breaking_point(word, room.saturating_sub(used)));
            folded.push_str(head);
            break_line(&mut folded, hang);
            (used, word) = (hang, tail);
        }
        folded.push_str(word);
        used += width(word);
        fresh = word.is_empty();
    }
    folded
}

fn break_line(folded: &mut String, hang: usize) {
    folded.truncate(folded.trim_end_matches(' ').len());
    folded.push('\n');
    folded.push_str(&" ".repeat(hang));
}

/// Where a word that is longer than a line is broken, in octets: behind a comma, if there is one in the
/// second half of what fits; never at 0.
fn breaking_point(word: &str, room: usize) -> usize {
    let fits = beginning(word, room);
    let comma = fits.rfind(',').map(|at| at + 1).filter(|at| *at > fits.len() / 2);
    let first = word.chars().next().map_or(0, char::len_utf8);
    comma.unwrap_or(fits.len()).max(first)
}

/// Labels with their values, a line each, the values below each other `label` columns in; one without a
/// label goes on with the value before. Where that leaves too little room, each value follows its label.
pub fn sheet<L: AsRef<str>>(lines: &[(L, String)], label: usize, room: Option<usize>) -> String {
    let line = |(name, value): &(L, String)| {
        let name = name.as_ref();
        let padded = format!("{name}{} ", " ".repeat(label.saturating_sub(width(name))));
        room.map_or_else(|| format!("{padded}{value}"), |room| beside(name, &padded, value, label + 1, room)) + "\n"
    };
    lines.iter().map(line).collect()
}

/// A value beside its label on a terminal of `room` columns.
fn beside(name: &str, padded: &str, value: &str, indent: usize, room: usize) -> String {
    let fold = |text: &str, hang: usize| fold(text, room, hang, LongWord::Break);
    // Labels may be indented, and then all that belongs to them is.
    let hang = name.len() - name.trim_start_matches(' ').len() + 2;
    let below = || fold(&format!("{}{value}", " ".repeat(hang)), hang);
    let nameless = name.trim().is_empty();
    let Some(rest) = room.checked_sub(indent).filter(|rest| *rest >= NARROWEST_VALUES) else {
        return if nameless { below() } else { fold(&format!("{name}: {value}"), hang) };
    };
    if width(name) >= indent {
        return fold(&format!("{padded}{value}"), indent);
    }
    if !nameless && value.split(' ').any(|word| width(word) > rest) {
        return format!("{name}\n{}", below());
    }
    let value = self::fold(value, rest, 0, LongWord::Break);
    format!("{padded}{}", value.replace('\n', &format!("\n{}", " ".repeat(indent))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_as_wide_as_it_is_shown() {
        assert_eq!(["", "switch-1", "Zürich", "東京", "e\u{301}"].map(width), [0, 8, 6, 4, 1]);
        assert_eq!(width("\u{1b}[31mSTOPPED\u{1b}[0m: a"), 10);
    }

    #[test]
    fn what_others_say_moves_no_cursor() {
        assert_eq!(one_line("a\r\n\tb  c"), "a b c");
        assert_eq!(one_line("\u{1b}[2Jgone\u{7}\u{9b}K"), "\u{fffd}[2Jgone\u{fffd}\u{fffd}K");
    }

    #[test]
    fn a_cut_is_marked_and_never_goes_through_a_character() {
        assert_eq!(cut("printer-2nd-floor", 17), "printer-2nd-floor");
        assert_eq!(cut("printer-2nd-floor", 9), "printer-…");
        assert_eq!(cut("Cisco Systems", 7), "Cisco…", "no space before the mark");
        assert_eq!(cut("東京タワー", 6), "東京…", "each takes two columns");
        assert_eq!(cut("cafe\u{301}s and more", 5), "cafe\u{301}…", "an accent stays with its letter");
        assert_eq!(["ab", "東"].map(|text| cut(text, 1)), ["…", "…"]);
        assert_eq!(cut("ab", 0), "");
    }

    #[test]
    fn lines_break_between_words_and_long_words_where_they_must() {
        let fold = |text, room, hang| fold(text, room, hang, LongWord::Break);
        assert_eq!(fold("error: no such device here", 40, 2), "error: no such device here");
        assert_eq!(fold("error: no such device here", 16, 2), "error: no such\n  device here");
        assert_eq!(fold("     7  A                 B", 40, 8), "     7  A                 B", "columns stay");
        assert_eq!(fold("     7  A                 B", 20, 8), "     7  A B", "or close up");
        assert_eq!(fold("abcdefghijkl", 5, 1), "abcde\n fghi\n jkl");
        assert_eq!(fold("{\"a\":1,\"b\":22222}", 10, 2), "{\"a\":1,\n  \"b\":2222\n  2}");
        assert_eq!(fold("", 10, 2), "");
    }

    #[test]
    fn a_path_that_is_to_be_copied_stays_whole() {
        let told = fold("cannot open /var/lib/pdsno/data/pdsno.db: it is locked", 20, 2, LongWord::Keep);
        assert_eq!(told, "cannot open\n  /var/lib/pdsno/data/pdsno.db:\n  it is locked");
    }

    #[test]
    fn values_stand_below_each_other_while_there_is_room() {
        let lines = [("mac", "00:1b:2f:3c:4d:5e".to_owned()), ("", "and another one".to_owned())];
        assert_eq!(sheet(&lines, 6, None), "mac    00:1b:2f:3c:4d:5e\n       and another one\n");
        assert_eq!(sheet(&lines, 6, Some(40)), sheet(&lines, 6, None));
        assert_eq!(sheet(&lines, 17, Some(40)), "mac: 00:1b:2f:3c:4d:5e\n  and another one\n");
        let long = [("vendor", "Cisco Systems, Inc (from mac: 00:1b:2f)".to_owned())];
        assert_eq!(sheet(&long, 8, Some(40)), "vendor   Cisco Systems, Inc (from mac:\n         00:1b:2f)\n");
        let path = [("nib", "/var/lib/pdsno-2026/local/pdsno.db".to_owned())];
        assert_eq!(sheet(&path, 8, Some(40)), "nib\n  /var/lib/pdsno-2026/local/pdsno.db\n", "whole on its own line");
    }

    proptest! {
        #[test]
        fn nothing_folded_is_too_wide_and_nothing_is_lost(
            text in "([a-zäö東京,./-]{0,30} {0,9}){0,8}", room in 2..90_usize, hang in 0..90_usize
        ) {
            let folded = fold(&text, room, hang, LongWord::Break);
            prop_assert!(folded.lines().all(|line| width(line) <= room), "{folded}");
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(letters(&folded), letters(&text));
        }

        #[test]
        fn no_sheet_is_too_wide(
            lines in prop::collection::vec(("[a-z 東]{0,25}", "([a-z0-9:東]{0,50} ){0,5}"), 0..5),
            label in 0..40_usize,
            room in 16..130_usize,
        ) {
            let shown = sheet(&lines, label, Some(room));
            prop_assert!(shown.lines().all(|line| width(line) <= room), "{shown}");
        }
    }
}
