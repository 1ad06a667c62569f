module rubato.dev/e2e/tools/spin

go 1.24
