module github.com/ferrygo/ferry/bench

go 1.26.3

require (
	github.com/ferrygo/ferry v0.0.0
	gvisor.dev/gvisor v0.0.0-20260905035102-160fafc42237
)

replace github.com/ferrygo/ferry => ../
