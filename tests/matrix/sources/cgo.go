package main

// #include <stdlib.h>
// #include <string.h>
import "C"

import (
	"fmt"
	"unsafe"
)

func main() {
	sum := 0
	for i := 0; i < 500; i++ {
		s := C.CString(fmt.Sprintf("word%d", i))
		sum += int(C.strlen(s))
		C.free(unsafe.Pointer(s))
	}
	fmt.Println(sum)
}
