module github.com/ferrygo/ferry/examples

go 1.26.0

require github.com/ferrygo/ferry v0.0.0

replace github.com/ferrygo/ferry => ../
