#![allow(clippy::unwrap_used)]

use super::*;

async fn told(bytes: &[u8], line: u64) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    std::fs::write(&path, bytes).unwrap();
    let lines = around("a", &Location::Local(path), &ReadOptions::default(), line).await;
    lines.into_iter().map(|line| format!("{} {}", line.number, line.text)).collect()
}

#[tokio::test]
async fn lines_stand_with_those_around_them() {
    let text = "a\nb\r\nc\n\ne\nf";
    assert_eq!(told(text.as_bytes(), 1).await, ["1 a", "2 b", "3 c"]);
    assert_eq!(told(text.as_bytes(), 3).await, ["1 a", "2 b", "3 c", "4 ", "5 e"]);
    assert_eq!(told(text.as_bytes(), 6).await, ["4 ", "5 e", "6 f"]);
    assert_eq!(told(text.as_bytes(), 60).await, Vec::<String>::new());
    assert_eq!(told(b"a\rb\rc", 2).await, ["1 a", "2 b", "3 c"]);
    assert_eq!(told(b"", 1).await, Vec::<String>::new());
}

#[tokio::test]
async fn in_any_encoding() {
    let text = "naïve\nčau\n";
    let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let expected = ["1 naïve", "2 čau"];
    assert_eq!(told(text.as_bytes(), 2).await, expected);
    assert_eq!(told(&[&[0xEF, 0xBB, 0xBF], text.as_bytes()].concat(), 2).await, expected);
    assert_eq!(told(&[&[0xFF, 0xFE], wide(u16::to_le_bytes).as_slice()].concat(), 2).await, expected);
    assert_eq!(told(&[&[0xFE, 0xFF], wide(u16::to_be_bytes).as_slice()].concat(), 2).await, expected);
    assert_eq!(told(b"na\xEFve\nx\n", 1).await, ["1 naïve", "2 x"]);
    // Bytes that no encoding has are shown as what they are: unreadable.
    assert_eq!(told(b"\xC3\xA9\nx\xFF\n", 2).await, ["1 é", "2 x\u{FFFD}"]);
}

#[tokio::test]
async fn long_lines_are_cut_and_far_lines_found() {
    let long = "ä".repeat(1000);
    let many: String = (1..=300_000).map(|n| format!("{n},{}\n", "x".repeat(n % 40))).collect();
    let text = format!("{many}{long}\nlast");
    let found = told(text.as_bytes(), 300_001).await;
    assert_eq!(found.len(), 4);
    assert!(found[1].starts_with("300000 300000,"), "{}", found[1]);
    assert_eq!(found[2], format!("300001 {}…", "ä".repeat(300)));
    assert_eq!(found[3], "300002 last");
}
