//! SMTP as sans-IO machines: grammar, server, client, DATA and BDAT codecs.
