//! Tests of the control protocol over a real socket.
