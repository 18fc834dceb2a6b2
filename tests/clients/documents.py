"""XML documents of S3: the one that Complete takes, and the texts of those that come back."""

import xml.etree.ElementTree as ElementTree


def complete_document(parts):
    """The body of CompleteMultipartUpload for (number, ETag) pairs, in the order given."""
    listed = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
                     for number, etag in parts)
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()


def texts(document, name):
    """The texts of all elements of that name, in order, whatever their name space."""
    root = ElementTree.fromstring(document)
    return [one.text or "" for one in root.iter() if one.tag.rpartition("}")[2] == name]
