"""What tests and benches share: fakes, clocks, servers, speech, published layouts."""
