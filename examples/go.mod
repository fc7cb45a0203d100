module github.com/ferrygo/ferry/examples

go 1.26.0

require github.com/ferrygo/ferry v0.0.0

replace github.com/ferrygo/ferry => ../
require (
	github.com/vbauerster/mpb/v8 v8.9.3
	golang.org/x/sync v0.24.0
	golang.org/x/term v0.47.0
)
