: blocks 100 0 do i 1+ allocate throw free throw loop ;
: sum 0 1000 0 do i + loop ;
blocks sum . cr bye
