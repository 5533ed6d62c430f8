//! Rotations that go on in the middle of a look at the directory.

use super::*;

#[test]
fn a_file_that_one_look_misses_is_not_read_again() {
    let dir = Memos::default();
    let mut reader = Reader::of(dir.clone());
    let mut all = String::new();
    // More than are remembered by their text.
    for file in 0..30 {
        let text = format!("the text of file {file}\n");
        dir.make("log.txt", &text);
        all += &text;
        reader.drain().acknowledge();
        shift(&dir, file);
    }
    dir.make("log.txt", "the last\n");
    reader.drain().acknowledge();
    // Renamed while the names are read: not seen under the old name, nor under the new one. And the rotation goes on.
    dir.pass_over("log.txt.28");
    dir.before_scan(|_| {});
    dir.before_scan(|dir| {
        shift(dir, 30);
        dir.make("log.txt", "and one more\n");
    });
    reader.drain().drain().has_read(&(all + "the last\nand one more\n"));
    reader.lost_nothing();
}

#[test]
fn a_file_that_the_first_look_misses_is_in_its_place() {
    for missed in ["log.txt.3", "log.txt.1", "log.txt"] {
        let dir = Memos::default();
        for (name, text) in [("log.txt.3", "a\n"), ("log.txt.2", "b\n"), ("log.txt.1", "c\n"), ("log.txt", "d\n")] {
            dir.make(name, text);
        }
        dir.pass_over(missed);
        let mut reader = Reader::of(dir);
        reader.drain().has_read("a\nb\nc\nd\n");
        reader.lost_nothing();
    }
}

#[test]
fn a_new_file_that_one_look_misses_is_in_its_place() {
    for missed in ["log.txt.3", "log.txt.2", "log.txt.1", "log.txt"] {
        let dir = Memos::default();
        dir.make("log.txt", "a\n");
        let mut reader = Reader::of(dir.clone());
        reader.drain();
        for (present, text) in ["b\n", "c\n", "d\n"].into_iter().enumerate() {
            shift(&dir, present as u32);
            dir.make("log.txt", text);
        }
        dir.pass_over(missed);
        reader.drain().drain().has_read("a\nb\nc\nd\n");
        reader.lost_nothing();
    }
}

#[test]
fn rotations_in_the_middle_of_a_look_lose_nothing() {
    for rotations in 1..=4 {
        for again in [false, true] {
            let dir = Memos::default();
            dir.make("log.txt", "0\n");
            let mut reader = Reader::of(dir.clone());
            reader.drain();
            let rotate = move |dir: &Memos, from: u32, to: u32| {
                for number in from..to {
                    shift(dir, number);
                    dir.make("log.txt", &format!("{}\n", number + 1));
                }
            };
            // The log's own name is looked at while it is still the file that was read.
            dir.within_scan("log.txt", move |dir| rotate(dir, 0, rotations));
            let mut all = rotations;
            if again {
                dir.before_scan(|_| {});
                dir.before_scan(move |dir| rotate(dir, rotations, rotations + 2));
                all += 2;
            }
            reader.drain().drain().has_read(&(0..=all).map(|number| format!("{number}\n")).collect::<String>());
            reader.lost_nothing();
        }
    }
}
