with Ada.Containers.Indefinite_Ordered_Maps;
with Ada.Text_IO;

procedure Count is
   package Maps is new Ada.Containers.Indefinite_Ordered_Maps (String, Integer);
   Counts : Maps.Map;
begin
   for I in 0 .. 2999 loop
      declare
         Word : constant String := "word" & Integer'Image (I * 7 mod 300);
      begin
         if Counts.Contains (Word) then
            Counts (Word) := Counts (Word) + 1;
         else
            Counts.Insert (Word, 1);
         end if;
      end;
   end loop;
   Ada.Text_IO.Put_Line (Integer'Image (Integer (Counts.Length)) & " words");
end Count;
