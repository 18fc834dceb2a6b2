//! Documents of clients, invalid documents, and round trips.

use proptest::prelude::*;

use super::*;
use crate::wire::error::ErrorCode;

fn leaf(name: &str, text: &str) -> Element {
    Element { name: name.to_owned(), text: text.to_owned(), children: Vec::new() }
}

#[test]
fn a_document_is_written_as_s3_writes_it() {
    let mut w = Writer::document("Root");
    w.text("Key", "a&b<c>\"d'").optional("None", None::<&str>).optional("Some", Some("x"));
    w.element("List", |w| {
        w.text("Control", "\0\u{1}\t\n\r\u{fffe}é");
        w.element("Empty", |_| {});
    });
    let attributes =
        [("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"), ("xsi:type", "a\"'\n<&")];
    w.element_with("Grantee", &attributes, |w| {
        w.text("ID", "");
    });
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <Root xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <Key>a&amp;b&lt;c&gt;&quot;d'</Key><Some>x</Some>\
        <List><Control>&#x0;&#x1;\t\n&#xd;&#xfffe;é</Control><Empty></Empty></List>\
        <Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
        xsi:type=\"a&quot;&apos;&#xa;&lt;&amp;\"><ID></ID></Grantee></Root>";
    assert_eq!(String::from_utf8(w.finish()).unwrap(), expected);

    let mut w = Writer::bare("Error");
    w.content("x");
    assert_eq!(w.finish(), format!("{DECLARATION}<Error>x</Error>").into_bytes());
}

/// Lists of parts that clients send to Complete.
#[test]
fn every_client_is_understood() {
    let bodies = [
        // Go writes quotes as references; JavaScript uses other ones and another order.
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part>\
         <ETag>&#34;388c-2&#34;</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CompleteMultipartUpload><Part>\
         <PartNumber>1</PartNumber><ETag>&quot;388c-2&quot;</ETag></Part>\
         </CompleteMultipartUpload>",
        "<?xml version='1.0' encoding='utf-8'?>\n<CompleteMultipartUpload>\n    <Part>\n        \
         <ETag>\"388c-2\"</ETag>\n         <PartNumber>1</PartNumber>\n    </Part>\n\
         </CompleteMultipartUpload>\n",
        "<s3:CompleteMultipartUpload xmlns:s3='http://s3.amazonaws.com/doc/2006-03-01/'>\
         <!-- a -- b --><s3:Part><s3:ETag><![CDATA[\"388c]]>-2&#x22;</s3:ETag><?pi x?>\
         <s3:PartNumber>1</s3:PartNumber ></s3:Part></s3:CompleteMultipartUpload><!-- end -->",
        "\u{feff}<CompleteMultipartUpload><Part a='1' b=\"&lt;\"><ETag>&quot;38<!-- x -->8c-2\
         &quot;</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
    ];
    for body in bodies {
        let body = body.replace("a -- b", "a - b");
        let root = parse(body.as_bytes(), "CompleteMultipartUpload").unwrap();
        assert_eq!(root.children.len(), 1, "{body}");
        let part = root.child("Part").unwrap();
        assert_eq!(part.text_of("ETag"), Some("\"388c-2\""), "{body}");
        assert_eq!(part.text_of("PartNumber"), Some("1"), "{body}");
        assert_eq!((part.child("Other"), part.text.as_str()), (None, ""));
    }
}

#[test]
fn the_text_of_a_leaf_is_verbatim() {
    for (inside, text) in [
        ("", ""),
        (" a \n", " a \n"),
        ("a&amp;b", "a&b"),
        ("&amp;amp;", "&amp;"),
        ("&lt;&gt;&quot;&apos;", "<>\"'"),
        ("&#233;&#xE9;&#x1;&#0;", "éé\u{1}\0"),
        ("a\r\nb&#13;&#10;c", "a\nb\r\nc"),
        ("<![CDATA[ <&amp;> ]]>", " <&amp;> "),
        ("+%20", "+%20"),
    ] {
        let root = parse(format!("<R><Key>{inside}</Key></R>").as_bytes(), "R").unwrap();
        assert_eq!(root.children, [leaf("Key", text)], "{inside}");
    }
    let root = parse(b"<R> EU\n</R>", "R").unwrap();
    assert_eq!((root.text.as_str(), root.trimmed()), (" EU\n", "EU"));
    let root = parse(b"<R><P/><K>1</K><P>2</P></R>", "R").unwrap();
    let found: Vec<_> = root.children("P").map(|p| p.text.as_str()).collect();
    assert_eq!(found, ["", "2"]);
}

const ILL_FORMED: &[&[u8]] = &[
    b"",
    b"  \n",
    b"R",
    b"{\"R\":1}",
    b"<Other/>",
    b"<r/>",
    b"<R>",
    b"<R",
    b"</R>",
    b"<R></Q>",
    b"<R><a></R></a>",
    b"<R/><R/>",
    b"<R/>x",
    b"<R/>&amp;",
    b"<R/><![CDATA[x]]>",
    b"x<R/>",
    b"<R>a<b/></R>",
    b"<R><b/>a</R>",
    b"<R><b/>&#32;x</R>",
    b"<R>&nbsp;</R>",
    b"<R>&</R>",
    b"<R>&amp</R>",
    b"<R>&#xD800;</R>",
    b"<R>&#x110000;</R>",
    b"<R>&#;</R>",
    b"<R>&#+65;</R>",
    b"<R>&#99999999999;</R>",
    b"<R>]]></R>",
    b"<R>\x01</R>",
    b"<R>\0</R>",
    b"<R>\xff</R>",
    b"<R>\xed\xa0\x80</R>",
    b"<R a/>",
    b"<R a=b/>",
    b"<R a='1' a='2'/>",
    b"<R a='<'/>",
    b"<R a='&x;'/>",
    b"<R a='&amp'/>",
    b"<R 1='x'/>",
    b"<1R/>",
    b"<R><a:b:c/></R>",
    b"<R><:b/></R>",
    b"<R>< b/></R>",
    b"<R><!-- a -- b --></R>",
    b"<R><!-- a </R>",
    b"<R><![CDATA[ </R>",
    b"<R><?xml version='1.0'?></R>",
    b" <?xml version='1.0'?><R/>",
    b"<?xml version='2.0'?><R/>",
    b"<?xml?><R/>",
    b"<?xml version='1.0' encoding='ISO-8859-1'?><R/>",
    b"<!DOCTYPE R><R/>",
    b"<!DOCTYPE R [<!ENTITY a 'aaaa'>]><R>&a;</R>",
    b"<!ELEMENT R><R/>",
];

#[test]
fn what_is_not_well_formed_is_refused() {
    let deep = |n: usize| format!("{}{}", "<R>".repeat(n), "</R>".repeat(n));
    let wide = |n: usize| format!("<R>{}</R>", "<a/>".repeat(n));
    let named = |n: usize| format!("<R><{0}/></R>", "a".repeat(n));
    let attributed = |n: usize| {
        let attributes: String = (0..n).map(|n| format!(" a{n}='x'")).collect();
        format!("<R{attributes}/>")
    };
    for (good, bad) in [
        (deep(16), deep(17)),
        (wide(99_999), wide(100_000)),
        (named(1024), named(1025)),
        (attributed(32), attributed(33)),
    ] {
        assert!(parse(good.as_bytes(), "R").is_ok());
        assert_eq!(parse(bad.as_bytes(), "R").unwrap_err().code, ErrorCode::MalformedXML);
    }
    for case in ILL_FORMED {
        let text = String::from_utf8_lossy(case);
        let error = parse(case, "R").expect_err(&text);
        assert_eq!(error.code, ErrorCode::MalformedXML, "{text}");
    }
}

fn write_tree(w: &mut Writer, element: &Element) {
    w.element(&element.name, |w| {
        w.content(&element.text);
        element.children.iter().for_each(|child| write_tree(w, child));
    });
}

fn tree() -> impl Strategy<Value = Element> {
    let name = "[A-Za-z_][A-Za-z0-9._-]{0,8}";
    let leaf = (name, any::<String>()).prop_map(|(name, text)| leaf(&name, &text));
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (name, prop::collection::vec(inner, 1..4)).prop_map(|(name, children)| Element {
            name,
            text: String::new(),
            children,
        })
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(children in prop::collection::vec(tree(), 1..4)) {
        let mut w = Writer::document("Root");
        children.iter().for_each(|child| write_tree(&mut w, child));
        let root = parse(&w.finish(), "Root").unwrap();
        prop_assert_eq!(root.children, children);
    }

    #[test]
    fn attributes_are_escaped(value in any::<String>()) {
        let mut w = Writer::bare("R");
        w.element_with("a", &[("b", &value)], |_| {});
        prop_assert!(parse(&w.finish(), "R").is_ok());
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, "R");
    }

    #[test]
    fn any_markup_is_read_without_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "<R>", "</R>", "<R/>", "<a", " b='", "'", "\"", ">", "/>", "&amp;", "&#", ";", "&",
                "<![CDATA[", "]]>", "<!--", "-->", "<?xml version='1.0'?>", "<?", "?>", "<!DOCTYPE",
                "[", "é", "\u{1}", ":", "x", " ", "\u{feff}",
            ]),
            0..16,
        ),
    ) {
        let _ = parse(pieces.concat().as_bytes(), "R");
        let _ = parse(format!("<R>{}</R>", pieces.concat()).as_bytes(), "R");
    }
}
