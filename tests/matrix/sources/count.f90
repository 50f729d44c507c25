program count
  implicit none
  integer :: i
  real, allocatable :: all(:), part(:)
  character(len=:), allocatable :: text
  allocate (all(0))
  do i = 1, 200
    allocate (part(i), source=real(i))
    all = [all, part]
    deallocate (part)
  end do
  text = repeat('x', 100)//'y'
  print '(i0,1x,f0.1,1x,i0)', size(all), sum(all), len(text)
end program
