extern malloc, free, puts
global main
section .rodata
text: db "assembled", 0
section .text
main:
    push rbx
    mov ebx, 100
.again:
    mov edi, ebx
    call malloc wrt ..plt
    mov rdi, rax
    call free wrt ..plt
    dec ebx
    jnz .again
    lea rdi, [rel text]
    call puts wrt ..plt
    xor eax, eax
    pop rbx
    ret
section .note.GNU-stack noalloc noexec nowrite progbits
