//! Forms in pieces of any size, and invalid forms.

use proptest::prelude::*;

use bytes::Bytes;

use super::delimiter::BOUNDARY_BYTES_MAX;
use super::*;
use crate::wire::ErrorCode;

const TYPE: &str = "multipart/form-data; boundary=bnd";

/// Fields and file of a form, or the code of the error.
type Read = std::result::Result<(FormFields, Vec<u8>), ErrorCode>;

/// Parses a body that arrives in these pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    read_of(TYPE, pieces)
}

fn read_of<'a>(content_type: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut opening = FieldsReader::new(&Delimiter::of(content_type).map_err(|error| error.code)?);
    let mut pieces = pieces.into_iter();
    let mut opened = loop {
        let Some(piece) = pieces.next() else { return Err(opening.ended().code) };
        if let Some(opened) = opening.push(piece).map_err(|error| error.code)? {
            break opened;
        }
    };
    let mut content = Vec::new();
    let buffered = std::mem::take(&mut opened.buffered);
    for piece in std::iter::once(buffered).chain(pieces.map(Bytes::copy_from_slice)) {
        let piece_bytes = piece.len();
        let found = opened.file.push(piece).map_err(|error| error.code)?;
        let held_max = opened.file.end_bytes() as usize;
        assert!(found.len() <= piece_bytes + held_max);
        content.extend_from_slice(&found);
    }
    opened.file.finish().map_err(|error| error.code)?;
    Ok((opened.fields, content))
}

fn field(name: &str, value: &str) -> String {
    format!("--bnd\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(content: &[u8]) -> Vec<u8> {
    let head = "--bnd\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\n\
                Content-Type: text/plain\r\n\r\n";
    [head.as_bytes(), content, b"\r\n--bnd--\r\n"].concat()
}

fn form(fields: &[(&str, &str)], content: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> =
        fields.iter().flat_map(|(name, value)| field(name, value).into_bytes()).collect();
    body.extend(file(content));
    body
}

/// Contents that resemble the end of a file.
const TRICKY: &[&[u8]] = &[
    b"",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"plain",
    b"--bnd",
    b"--bnd--",
    b"--bnd\r\n",
    b"\r\n--bn",
    b"\r\n--bndX\r\n",
    b"\r\n--bnd-X",
    b"\r\n--bnd\rX",
    b"\r\n--bnd \r\n",
    b"\r\n--bnd\n",
    b"\n--bnd--",
    b"\r--bnd--",
    b"\r\r\n--bnD--",
    b"\r\n--b\r\n--b\r\n--bnd0\r\n--bn",
    b"\r\n--bnd-\r\n--bnd\r\r\n--bnd-",
];

#[test]
fn every_cut_gives_the_same_form() {
    for content in TRICKY {
        let body = form(&[("key", "a b"), ("empty", ""), ("lines", "1\r\n2\r\n--bndX")], content);
        let whole = read([&body[..]]).unwrap();
        let (fields, found) = &whole;
        assert_eq!(found, content);
        let expected = [("key", "a b"), ("empty", ""), ("lines", "1\r\n2\r\n--bndX")];
        assert_eq!(fields.iter().collect::<Vec<_>>(), expected);
        for cut in 0..=body.len() {
            let (a, b) = body.split_at(cut);
            assert_eq!(read([a, b]).unwrap(), whole, "{content:?} cut at {cut}");
        }
        for size in 1..20 {
            assert_eq!(read(body.chunks(size)).unwrap(), whole, "{content:?} by {size}");
        }
        for end in 0..body.len() - b"--\r\n".len() {
            let error = read([&body[..end]]).unwrap_err();
            assert_eq!(error, ErrorCode::MalformedPOSTRequest, "{content:?} ends at {end}");
        }
    }
}

proptest! {
    #[test]
    fn a_file_is_what_was_sent(
        parts in prop::collection::vec(
            prop_oneof![
                prop::sample::select(TRICKY).prop_map(<[u8]>::to_vec),
                prop::collection::vec(any::<u8>(), 0..40),
                "[-\r\nbnd]{0,12}".prop_map(String::into_bytes),
            ],
            0..8,
        ),
        cuts in prop::collection::vec(1_usize..50, 1..30),
    ) {
        // A complete delimiter ends the file; anything else is content.
        let content = parts.concat();
        let ends = |window: &[u8]| matches!(window, b"\r\n--bnd--" | b"\r\n--bnd\r\n");
        let padded = [&content[..], b"\r\n--bnd"].concat();
        prop_assume!(!padded.windows(9).any(ends));
        let body = form(&[("key", "k")], &content);
        let mut rest = &body[..];
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = left;
        }
        prop_assert_eq!(read(pieces).unwrap().1, content);
    }
}

#[test]
fn what_follows_the_file_does_not_count_and_is_not_long() {
    let more = |tail: usize| {
        let mut body = form(&[("key", "k")], b"bytes");
        body.truncate(body.len() - b"--\r\n".len());
        body.extend_from_slice(b"\r\n");
        body.extend(field("key", "other").into_bytes().into_iter().skip(b"--bnd\r\n".len()));
        body.extend(vec![b'x'; tail]);
        body
    };
    let (fields, content) = read([&more(0)[..]]).unwrap();
    assert_eq!((fields.get("key"), &content[..]), (Some("k"), &b"bytes"[..]));
    let fits = FIELDS_BYTES_MAX - (more(0).len() - form(&[("key", "k")], b"bytes").len() + 4);
    for (tail, accepted) in [(fits, true), (fits + 1, false), (1 << 20, false)] {
        let body = more(tail);
        for size in [100, body.len()] {
            assert_eq!(read(body.chunks(size)).is_ok(), accepted, "{tail} by {size}");
        }
    }
}

#[test]
fn the_name_of_the_file_stands_in_for_its_variable() {
    for (disposition, name) in [
        ("; filename=\"a b.txt\"", "a b.txt"),
        ("; filename=plain", "plain"),
        ("; filename=\"/home/ann/a.txt\"", "a.txt"),
        ("; filename=\"C:\\Program Files\\x\\file.txt\"", "file.txt"),
        ("; filename=\"a/b\\c\"", "c"),
        ("; filename=\"say \\\"hi\\\".txt\"", "say \"hi\".txt"),
        ("; filename=\"semi;colon=\"; x=y", "semi;colon="),
        ("; filename=\"50%22 üß\"", "50%22 üß"),
        ("; filename=\"folder/\"", ""),
        ("; filename=\"\"", ""),
        ("; filename=\"${filename}\"", "${filename}"),
        ("", ""),
        (" ; FileName=\"x\";", "x"),
    ] {
        let head = field("key", "u/${filename}-${filename}") + &field("other", "$filename");
        let body = format!(
            "{head}--bnd\r\ncontent-disposition:form-data; name=FILE{disposition}\r\n\r\n.\r\n--bnd--"
        );
        let (fields, _) = read([body.as_bytes()]).unwrap();
        assert_eq!(fields.get("key"), Some(&*format!("u/{name}-{name}")), "{disposition}");
        assert_eq!(fields.get("other"), Some("$filename"));
    }
}

#[test]
fn fields_are_few() {
    let with = |bytes: usize| form(&[("key", "k"), ("x", &"v".repeat(bytes))], b"content");
    let head = with(0).len() - b"content\r\n--bnd--\r\n".len();
    let fits = FIELDS_BYTES_MAX - head;
    for (bytes, accepted) in [(fits - 1, true), (fits, true), (fits + 1, false)] {
        let body = with(bytes);
        for size in [1, 1000, body.len()] {
            let outcome = read(body.chunks(size)).map(|_| ());
            let expected =
                if accepted { Ok(()) } else { Err(ErrorCode::MaxPostPreDataLengthExceededError) };
            assert_eq!(outcome, expected, "{bytes} by {size}");
        }
    }
    // A header line that never ends, and headers that never end.
    for begin in ["--bnd\r\nA: ", "--bnd\r\ncontent-disposition: form-data; name=\"x\"\r\n\r\n"] {
        let body = format!("{begin}{}", "x".repeat(FIELDS_BYTES_MAX));
        let error = read(body.as_bytes().chunks(777)).unwrap_err();
        assert_eq!(error, ErrorCode::MaxPostPreDataLengthExceededError);
    }
    // A short form that expands to a long one.
    let variables = "${filename}".repeat(1000);
    let name = "n".repeat(5000);
    let body = field("key", &variables)
        + &format!(
            "--bnd\r\nContent-Disposition: form-data; name=file; filename={name}\r\n\r\n.\r\n--bnd--"
        );
    let error = read([body.as_bytes()]).unwrap_err();
    assert_eq!(error, ErrorCode::MaxPostPreDataLengthExceededError);
}

#[test]
fn what_is_no_form_is_refused() {
    use ErrorCode::{InvalidArgument, MalformedPOSTRequest};
    let part = |lines: &str| format!("--bnd\r\n{lines}\r\n\r\nv\r\n--bnd--\r\n");
    for (body, code) in [
        (String::new(), MalformedPOSTRequest),
        ("--bnd".into(), MalformedPOSTRequest),
        ("--bnd--\r\n".into(), InvalidArgument),
        (field("key", "k") + "--bnd--\r\n", InvalidArgument),
        ("preamble\r\n".to_owned() + &field("key", "k"), MalformedPOSTRequest),
        ("--other\r\n\r\n".into(), MalformedPOSTRequest),
        ("--bndX\r\n\r\n".into(), MalformedPOSTRequest),
        ("\r\n\r\n--bnd\r\n".into(), MalformedPOSTRequest),
        (field("a", "1") + &field("A", "1") + "--bnd--", InvalidArgument),
        (field("b", "") + &field("x", "") + &field("B", "2") + "--bnd--", InvalidArgument),
        (part("Content-Disposition: form-data"), MalformedPOSTRequest),
        (part("Content-Disposition: form-data; name=\"\""), MalformedPOSTRequest),
        (part("Content-Disposition: form-data; name=\"x"), MalformedPOSTRequest),
        (part("Content-Disposition: form-data; name=x; name=y"), MalformedPOSTRequest),
        (part("Content-Disposition: form-data; name"), MalformedPOSTRequest),
        (part("Content-Disposition: form-data; na me=x"), MalformedPOSTRequest),
        (part("Content-Disposition: attachment; name=x"), MalformedPOSTRequest),
        (part("Content-Type: text/plain"), MalformedPOSTRequest),
        (part("no header"), MalformedPOSTRequest),
        (part(""), MalformedPOSTRequest),
        (
            part(
                "Content-Disposition: form-data; name=x\r\nContent-Disposition: form-data; name=y",
            ),
            MalformedPOSTRequest,
        ),
        (
            part("Content-Disposition: form-data; name=x\r\nContent-Transfer-Encoding: base64"),
            MalformedPOSTRequest,
        ),
    ] {
        assert_eq!(read([body.as_bytes()]).unwrap_err(), code, "{body:?}");
        assert_eq!(read(body.as_bytes().chunks(1)).unwrap_err(), code, "{body:?} by one");
    }
    let mut not_text = (field("x", "\u{1}") + "--bnd--").into_bytes();
    let at = not_text.iter().position(|c| *c == 1).unwrap();
    not_text[at] = 0xff;
    assert_eq!(read([&not_text[..]]).unwrap_err(), InvalidArgument);
    // Line end before the body and bytes after it, as some clients send.
    let body = [b"\r\n", &form(&[("key", "k")], b"x")[..]].concat();
    assert_eq!(read(body.chunks(1)).unwrap().1, b"x");
    let lines = "Content-Transfer-Encoding: BINARY\r\ncontent-disposition: Form-Data; name=file";
    assert_eq!(read([part(lines).as_bytes()]).unwrap().1, b"v");
}

#[test]
fn the_boundary_stands_in_the_content_type() {
    let body = b"--a'b c\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--a'b c--";
    for good in [
        "multipart/form-data; boundary=\"a'b c\"",
        "Multipart/Form-Data;charset=utf-8;BOUNDARY=a'b c",
        "multipart/form-data ; boundary = \"a'b c\" ;",
    ] {
        assert_eq!(read_of(good, [&body[..]]).unwrap().1, b"x", "{good}");
    }
    for bad in [
        "multipart/form-data".to_owned(),
        "multipart/form-data; boundary=".into(),
        "multipart/form-data; boundary=\"\"".into(),
        "multipart/form-data; boundary=\"a".into(),
        "multipart/form-data; boundary=a; boundary=a".into(),
        "multipart/form-data; boundary=ä".into(),
        format!("multipart/form-data; boundary={}", "x".repeat(71)),
        "multipart/form-data; boundary=\"a\rb\"".into(),
    ] {
        assert_eq!(Delimiter::of(&bad).unwrap_err().code, ErrorCode::MalformedPOSTRequest, "{bad}");
    }
    assert!(Delimiter::of(&format!("multipart/form-data; boundary={}", "x".repeat(70))).is_ok());
    for other in ["", "text/plain", "multipart/mixed; boundary=a", "multipart/form-datax"] {
        let error = Delimiter::of(other).unwrap_err();
        assert_eq!(error.code, ErrorCode::PreconditionFailed, "{other}");
    }
}

/// Bodies with the most work per byte: many bytes that are no delimiter, and many that almost are.
fn laborious(boundary: &str) -> Vec<Vec<u8>> {
    let all_but_the_last = &boundary[..boundary.len() - 1];
    let fill = |unit: String| unit.into_bytes().repeat(9 << 10).into_iter().take(9 << 10).collect();
    vec![
        fill("x".into()),
        fill("\r".into()),
        fill("\r\n--".into()),
        fill(format!("\r\n--{all_but_the_last}")),
        fill(format!("\r\n--{boundary}\rx")),
        fill(format!("\r\n--{boundary}-x")),
        fill(format!("\r\n--{boundary}x")),
    ]
}

#[test]
fn work_is_linear_whatever_the_pieces_are() {
    const WORK_PER_BYTE_MAX: usize = 6;
    for boundary in ["b".to_owned(), "bnd".to_owned(), "b".repeat(BOUNDARY_BYTES_MAX)] {
        let head = |name: &str, more: &str| {
            format!("--{boundary}\r\nContent-Disposition: form-data; name={name}{more}\r\n\r\n")
        };
        let parameters: String = (2..8).map(|n| format!("; p{n}={}", "v".repeat(1500))).collect();
        let lines: String = (1..8).map(|n| format!("\r\nX-{n}:{}", "\r".repeat(1300))).collect();
        for (more, content) in ["", &parameters, &lines]
            .into_iter()
            .flat_map(|more| laborious(&boundary).into_iter().map(move |content| (more, content)))
        {
            let mut body = Vec::new();
            body.extend(head("key", more).into_bytes());
            body.extend(&content);
            body.extend(format!("\r\n{}", head("file", "")).into_bytes());
            body.extend(&content);
            body.extend(format!("\r\n--{boundary}--").into_bytes());
            let content_type = format!("multipart/form-data; boundary={boundary}");
            for size in [1, 2, 3, 50, body.len()] {
                search::LOOKED_AT.set(0);
                let (fields, file) = read_of(&content_type, body.chunks(size)).unwrap();
                assert_eq!(fields.get("key").map(str::as_bytes), Some(&content[..]));
                assert_eq!(file, content);
                let work = search::LOOKED_AT.get();
                assert!(work >= body.len(), "{work} is not all that was done");
                let most = WORK_PER_BYTE_MAX * body.len();
                assert!(work <= most, "{work} for {} by {size}: {content:.99?}", body.len());
            }
        }
    }
    // Many fields, and headers that do not end.
    let fields: String = (0..350).map(|n| field(&format!("{n:x}"), "")).collect();
    let endless = "--bnd\r\nA:".to_owned() + &"\r\n\r".repeat(FIELDS_BYTES_MAX / 3 - 10);
    for body in [fields, endless] {
        search::LOOKED_AT.set(0);
        let error = read(body.as_bytes().chunks(1)).unwrap_err();
        assert_eq!(error, ErrorCode::MalformedPOSTRequest);
        let work = search::LOOKED_AT.get();
        assert!(work <= WORK_PER_BYTE_MAX * body.len(), "{work} for {}", body.len());
    }
}

#[test]
fn a_head_has_few_lines_and_few_parameters() {
    let parameters = |n: usize| (1..n).map(|n| format!("; p{n}=v")).collect::<String>() + ";";
    let lines = |n: usize| (1..n).map(|n| format!("X-{n}: v\r\n")).collect::<String>();
    for (count, accepted) in [(8, true), (9, false), (1000, false)] {
        let disposition = "Content-Disposition: form-data; name=file";
        let (lines, parameters) = (lines(count), parameters(count));
        for body in [
            format!("--bnd\r\n{disposition}{parameters}\r\n\r\nv\r\n--bnd--"),
            format!("--bnd\r\n{lines}{disposition}\r\n\r\nv\r\n--bnd--"),
        ] {
            let expected = match accepted {
                true => Ok(b"v".to_vec()),
                false => Err(ErrorCode::MalformedPOSTRequest),
            };
            assert_eq!(read([body.as_bytes()]).map(|(_, file)| file), expected, "{body}");
            assert_eq!(read(body.as_bytes().chunks(1)).map(|(_, file)| file), expected, "{body}");
        }
        let content_type = format!("{TYPE}{parameters}");
        let outcome = Delimiter::of(&content_type).map(|_| ()).map_err(|error| error.code);
        let expected = accepted.then_some(()).ok_or(ErrorCode::MalformedPOSTRequest);
        assert_eq!(outcome, expected, "{content_type}");
    }
}
